"""When a runner ships what of a stream: a pure rule over how much there is, how long ago the last was, and who watches."""

import math
from dataclasses import dataclass, replace

from crosswind.contracts.live import Stream
from crosswind.runs.live.model import Way

CHUNK_BYTES = 1024 * 1024
PUSHED_AT_ONCE = 64 * 1024
"""The most of a stream that one push carries. More is skipped, and told: nobody reads so much in 2 s."""

URGENT_PAUSE = 5.0
"""Between failures that are shipped at once; in between they go as everything else."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between uploads while someone watches, and while nobody does."""

    live_seconds: float
    quiet_seconds: float

    def of(self, stream: Stream) -> "Pace":
        """Of one stream. Events that nobody watches are not uploaded before the end, but for failures: who begins to
        watch gets all of them at once, and a killed runner's log tells more than its events."""
        return self if stream is Stream.LOG else replace(self, quiet_seconds=math.inf)


@dataclass(frozen=True, slots=True)
class State:
    """How far a stream is: bytes written, in the store, and pushed; and seconds since the last upload and push."""

    written: int
    stored: int
    pushed: int | None  # None: nobody was pushed to when it was shipped last
    since_store: float
    since_push: float


@dataclass(frozen=True, slots=True)
class Shipment:
    """What to do now. `push_from` is where the pushed part begins; `skipped_from` what of it is only in the store."""

    store: bool = False
    push_from: int | None = None
    skipped_from: int | None = None


def due(state: State, ways: frozenset[Way], pace: Pace, *, urgent: bool = False) -> Shipment:
    """What of a stream is to be shipped now.

    Someone who begins to watch finds everything in the store at once, so that it and the pieces join without a gap.
    A push that would be too large goes through the store, with its end pushed.
    """
    waiting = state.written - state.stored
    store = waiting >= CHUNK_BYTES or (
        waiting > 0
        and (
            urgent
            or state.since_store >= pace.quiet_seconds
            or (Way.POLLED in ways and state.since_store >= pace.live_seconds)
        )
    )
    if Way.PUSHED not in ways:
        return Shipment(store=store)
    if state.pushed is None:
        return Shipment(store=waiting > 0, push_from=state.written)
    unpushed = state.written - state.pushed
    if not unpushed or not (urgent or state.since_push >= pace.live_seconds):
        return Shipment(store=store)
    if unpushed > PUSHED_AT_ONCE:
        return Shipment(store=True, push_from=state.written - PUSHED_AT_ONCE, skipped_from=state.pushed)
    return Shipment(store=store, push_from=state.pushed)
