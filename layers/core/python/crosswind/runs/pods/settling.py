"""What is told of a pod whose end nobody saw: its Job was gone before the next look. Pure.

Leases see to the work meanwhile, so nothing is lost by it but what became of the pod.
"""

from dataclasses import replace

from crosswind.contracts.pods import PodState
from crosswind.runs.model import Work, WorkState
from crosswind.runs.pods.model import PodRecord

OPEN = frozenset({PodState.LAUNCHED, PodState.PENDING, PodState.RUNNING})
"""States that a pod is in while it carries its work."""


def settled(record: PodRecord, work: Work | None) -> PodRecord:
    """The record as it is to be read: a pod that its work has left is gone, and the lost attempt says why."""
    if record.state not in OPEN or (work is not None and _may_carry(record, work)):
        return record
    failures = work.failures if work else ()
    lost = next((each for each in failures if each.attempt == record.carrier.attempt), None)
    return replace(
        record,
        state=PodState.GONE,
        reason=lost.reason if lost else None,
        detail=lost.detail if lost else None,
    )


def _may_carry(record: PodRecord, work: Work) -> bool:
    """A claim makes the work's epoch one higher than it was at the launch."""
    carrier = record.carrier
    if work.attempt != carrier.attempt:
        return False
    if work.state is WorkState.ADMITTED:
        return work.epoch == carrier.epoch
    return work.state is WorkState.LEASED and work.epoch == carrier.epoch + 1
