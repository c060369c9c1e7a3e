"""Who gets a free slot: a pure policy over the queue, the usage and the capacity.

Plain for now: strict priority, then first come; a run's own concurrency limit; the executor's slots; the backoff after
an infrastructure failure. A fair scheduler replaces the body of `admit`; what it is given and what it answers stay.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crosswind.runs.ports import QueueEntry


class Reason(StrEnum):
    """Why an entry was admitted or goes on waiting."""

    ADMITTED = "admitted"
    BACKOFF = "backoff"  # an infrastructure failure was just now; its pause is not over
    RUN_LIMIT = "run_limit"  # its run has as many shards at work as it may
    NO_SLOT = "no_slot"  # everything that the executor has is taken


@dataclass(frozen=True, slots=True)
class Usage:
    """What holds a slot now."""

    active: tuple[QueueEntry, ...]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is to give."""

    slots: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one entry, with a sentence for whoever asks why."""

    entry: QueueEntry
    reason: Reason
    explanation: str

    @property
    def admitted(self) -> bool:
        """Whether the entry gets a slot."""
        return self.reason is Reason.ADMITTED


def admit(
    queue: Sequence[QueueEntry], usage: Usage, capacity: Capacity, now: datetime
) -> tuple[Decision, ...]:
    """Decide on every entry given, in the order of admission."""
    free = capacity.slots - len(usage.active)
    at_work = Counter(entry.key.run_id for entry in usage.active)
    decisions = []
    for entry in sorted(queue, key=_turn):
        decision = _decide(entry, free=free, at_work=at_work[entry.key.run_id], capacity=capacity, now=now)
        decisions.append(decision)
        if decision.admitted:
            free -= 1
            at_work[entry.key.run_id] += 1
    return tuple(decisions)


def _turn(entry: QueueEntry) -> tuple[str, datetime, str, str]:
    return (entry.priority.value, entry.enqueued_at, entry.key.run_id, entry.key.work_id)


def _decide(entry: QueueEntry, *, free: int, at_work: int, capacity: Capacity, now: datetime) -> Decision:
    if entry.not_before is not None and now < entry.not_before:
        pause = (entry.not_before - now).total_seconds()
        return Decision(entry, Reason.BACKOFF, f"It is tried again in {pause:.0f} s, after a failure.")
    if at_work >= entry.concurrency:
        return Decision(
            entry, Reason.RUN_LIMIT, f"Its run has {at_work} of at most {entry.concurrency} shards at work."
        )
    if free <= 0:
        return Decision(entry, Reason.NO_SLOT, f"All {capacity.slots} slots are taken.")
    return Decision(entry, Reason.ADMITTED, f"One of {free} free slots was its turn.")
