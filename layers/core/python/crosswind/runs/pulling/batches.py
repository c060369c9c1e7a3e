"""The transitions of a batch: pure, as those of the shard that holds it (crosswind.runs.protocol, ADR 0002).

`(not given out) → leased → done`, and `leased → returned → leased` when its holder's lease is over before it committed.
A batch needs no heartbeat of its own: who has lost the shard's lease has lost the batch.
"""

from collections.abc import Sequence
from dataclasses import replace

from crosswind.contracts.work import WorkOutcome
from crosswind.runs import layout
from crosswind.runs.model import Work, WorkState
from crosswind.runs.pulling.model import Batch, BatchState, PullHead, ReturnedBatch

MOST_FAILED = 1000
MOST_FAILED_CHARACTERS = 100_000
"""Of the names of failed tests that a batch keeps: it has to fit into a stored item."""


def lease_next(head: PullHead, holder: Work, *, units: int) -> tuple[PullHead, Batch]:
    """Give the next units of a stripe to a holder."""
    fresh = ReturnedBatch(number=head.next_number, first=head.next_unit, count=units, attempt=1, losses=0)
    moved = replace(head, next_unit=head.next_unit + units, next_number=head.next_number + 1)
    return moved, _leased(head, fresh, holder)


def lease_returned(head: PullHead, holder: Work) -> tuple[PullHead, Batch]:
    """Give the batch that came back first to a holder."""
    oldest, *others = head.returned
    return replace(head, returned=tuple(others)), _leased(head, oldest, holder)


def commit(batch: Batch, failed: Sequence[str]) -> Batch:
    """The batch with all its tests reported; the names of those that failed as far as they may be kept."""
    return replace(batch, state=BatchState.DONE, failed=_within_bounds(failed), failed_count=len(failed))


def lapsed(batch: Batch, holder: Work) -> bool:
    """Whether the holder's lease, under which the batch was leased, is over: then it never comes back.

    `holder` may have been read before the batch was leased. Then its epoch is lower, and it tells nothing.
    """
    if holder.epoch == batch.epoch:
        return holder.state is not WorkState.LEASED
    return holder.epoch > batch.epoch


def take_back(batch: Batch, holder: Work) -> Batch:
    """A lapsed batch as it goes on: to be leased again, or lost when it took more runners than its shard may lose.

    A batch whose tests bring down every runner would otherwise use up the budget of one shard after another.
    """
    losses = batch.losses + _was_lost(batch, holder)
    state = BatchState.LOST if losses > holder.infrastructure_retries else BatchState.RETURNED
    return replace(batch, state=state, losses=losses)


def with_returned(head: PullHead, batch: Batch) -> PullHead:
    """The head of a batch that came back, with it as the last of the returned."""
    back = ReturnedBatch(
        number=batch.number,
        first=batch.first,
        count=batch.count,
        attempt=batch.attempt + 1,
        losses=batch.losses,
    )
    return replace(head, returned=(*head.returned, back))


def _leased(head: PullHead, what: ReturnedBatch, holder: Work) -> Batch:
    return Batch(
        run_id=head.run_id,
        pull_id=head.pull_id,
        stripe=head.stripe,
        number=what.number,
        first=what.first,
        count=what.count,
        attempt=what.attempt,
        losses=what.losses,
        state=BatchState.LEASED,
        work_id=holder.key.work_id,
        work_attempt=holder.attempt,
        epoch=holder.epoch,
        prefix=layout.attempt_prefix(holder),
    )


def _was_lost(batch: Batch, holder: Work) -> bool:
    """Whether infrastructure took the runner; not, when it handed back or was preempted, finished or cancelled."""
    given_up = holder.commit is not None and holder.commit.outcome is WorkOutcome.ERROR
    return given_up or holder.attempt > batch.work_attempt


def _within_bounds(failed: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    left = MOST_FAILED_CHARACTERS
    for name in failed[:MOST_FAILED]:
        left -= len(name)
        if left < 0:
            break
        kept.append(name)
    return tuple(kept)
