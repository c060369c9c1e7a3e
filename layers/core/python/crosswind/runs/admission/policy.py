"""The policy of admission. See docs/decisions/0008-scheduling-policy.md."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from crosswind.runs.admission.model import Capacity, Decision, QueueEntry, Reason, Usage


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
