"""The barrier of a load job: its workers begin at one instant, all of them, or none does. Pure (ADR 0002).

Each worker is a shard with a lease of its own. It opens the barrier when it is there, says under its lease's epoch that it is
ready, says so again while it waits, and looks for the decision. Any of them may decide, and the first decision stands:

    start   all are ready, each heard of just now, and, checked in the same transaction, each still holds the lease
            under which it said so. It names the instant and these epochs; nobody else may begin.
    stop    the time is over, or a worker cannot run at all. It names the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LEAD = timedelta(seconds=3)
"""From the decision to the start: longer than a worker needs to see it."""

POLL_SECONDS = 1.0
SAY_AGAIN = timedelta(seconds=3)
HEARD_OF = timedelta(seconds=12)
"""A worker that has not said for so long that it is ready is waited for: it may be gone."""

LATE = timedelta(seconds=1)
"""A worker that comes so long after the start does not begin any more."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker's word that it is ready."""

    work_id: str
    epoch: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """All begin at this instant: those that hold these epochs."""

    at: datetime
    epochs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stop:
    """None begins."""

    reason: str
    at: datetime


Decision = Start | Stop


@dataclass(frozen=True, slots=True)
class Barrier:
    """What is stored of it."""

    run_id: str
    group: str
    opened_at: datetime | None = None  # when the first worker was there
    ready: Mapping[str, Ready] = field(default_factory=dict)  # by work id
    decision: Decision | None = None


def decide(barrier: Barrier, workers: Sequence[str], *, within: timedelta, now: datetime) -> Decision | None:
    """What is to be decided now; None: nothing yet, or it is decided already."""
    if barrier.decision is not None or barrier.opened_at is None:
        return None
    ready = [
        word
        for work_id in workers
        if (word := barrier.ready.get(work_id)) is not None and now - word.at <= HEARD_OF
    ]
    if len(ready) == len(workers):
        lead = LEAD if len(workers) > 1 else timedelta()  # one alone waits for nobody
        return Start(now + lead, {word.work_id: word.epoch for word in ready})
    if now >= barrier.opened_at + within:
        return Stop(not_ready(len(ready), len(workers), within), now)
    return None


def not_ready(ready: int, workers: int, within: timedelta) -> str:
    """The reason, for people."""
    were = "was" if ready == 1 else "were"
    return f"{ready} of {workers} workers {were} ready within {within.total_seconds():.0f} s"


def may_begin(decision: Start, work_id: str, *, epoch: int, now: datetime) -> str | None:
    """Why a worker may not begin; None where it may, at the start's instant."""
    if decision.epochs.get(work_id) != epoch:
        return "the load began without it: the worker before it was lost after all were ready"
    late = now - decision.at
    if late > LATE:
        return f"it saw the start {late.total_seconds():.1f} s too late"
    return None
