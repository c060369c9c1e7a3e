"""The pure transitions of a batch."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.work import WorkOutcome
from crosswind.runs.model import Commit, Lease, Work, WorkState
from crosswind.runs.pulling import batches
from crosswind.runs.pulling.model import Batch, BatchState, PullHead
from tests.fakes import START, make_work

HEAD = PullHead(run_id=make_work().key.run_id, pull_id="00-api-1", stripe=1, version=4)


def holder(number: int = 0, *, epoch: int = 1, **changes: Any) -> Work:
    lease = Lease(runner_id="r", started_at=START, expires_at=START + timedelta(seconds=30))
    values: dict[str, Any] = {
        "state": WorkState.LEASED,
        "epoch": epoch,
        "lease": lease,
        "pull_id": HEAD.pull_id,
    }
    return make_work(number, **(values | changes))


def leased(by: Work) -> Batch:
    _, batch = batches.lease_next(HEAD, by, units=3)
    return batch


def test_the_next_units_are_leased_and_the_head_moves_on() -> None:
    work = holder(epoch=2, attempt=2)

    head, first = batches.lease_next(HEAD, work, units=3)
    after, second = batches.lease_next(head, work, units=2)

    assert (first.first, first.count, first.number, first.attempt) == (0, 3, 0, 1)
    assert (second.first, second.count, second.number, second.stripe) == (3, 2, 1, 1)
    assert (after.next_unit, after.next_number, after.version) == (5, 2, 4)
    assert (first.work_id, first.work_attempt, first.epoch) == ("shard-00000", 2, 2)
    assert first.prefix.endswith("work/shard-00000/02-002/")


def test_what_came_back_first_is_leased_first_under_its_number_and_the_next_attempt() -> None:
    gone = holder(epoch=2, attempt=2)
    one, two = leased(holder()), replace(leased(holder()), number=7, first=9, count=1)
    head = HEAD
    for batch in (one, two):
        head = batches.with_returned(head, batches.take_back(batch, gone))

    after, again = batches.lease_returned(head, holder(3))

    assert (again.number, again.first, again.count, again.attempt, again.losses) == (0, 0, 3, 2, 1)
    assert again.work_id == "shard-00003"
    assert [back.number for back in after.returned] == [7]
    assert after.next_unit == head.next_unit


@pytest.mark.parametrize(
    ("now", "lapsed"),
    [
        (holder(epoch=3), False),
        (holder(epoch=3, state=WorkState.WAITING, lease=None), True),
        (holder(epoch=3, state=WorkState.ADMITTED, lease=None), True),
        (holder(epoch=3, state=WorkState.DONE, lease=None), True),
        (holder(epoch=4), True),
        (holder(epoch=2), False),
        (holder(epoch=2, state=WorkState.WAITING, lease=None), False),
    ],
    ids=[
        "held",
        "waits again",
        "admitted again",
        "done",
        "leased again",
        "read too early",
        "read much too early",
    ],
)
def test_a_batch_has_lapsed_once_its_holders_epoch_is_over_and_not_before(now: Work, *, lapsed: bool) -> None:
    assert batches.lapsed(leased(holder(epoch=3)), now) is lapsed


def test_a_hand_back_or_a_preemption_costs_a_batch_nothing() -> None:
    batch = leased(holder())

    back = batches.take_back(batch, holder(state=WorkState.WAITING, lease=None))

    assert (back.state, back.losses) == (BatchState.RETURNED, 0)


def test_a_batch_that_brings_down_every_runner_is_given_up() -> None:
    batch = leased(holder())
    fates = []
    for number in range(3):
        lost = batches.take_back(batch, holder(number, attempt=2, infrastructure_retries=2))
        fates.append((lost.state, lost.losses))
        if lost.state is BatchState.RETURNED:
            head = batches.with_returned(HEAD, lost)
            _, batch = batches.lease_returned(head, holder(number + 1))

    assert fates == [(BatchState.RETURNED, 1), (BatchState.RETURNED, 2), (BatchState.LOST, 3)]


def test_the_batch_of_a_shard_that_was_given_up_counts_as_lost_with_its_runner() -> None:
    batch = leased(holder())
    error = Commit(outcome=WorkOutcome.ERROR, attempt=1, epoch=1, at=START, reason="lease_lost: gone")

    back = batches.take_back(batch, holder(state=WorkState.DONE, lease=None, commit=error))

    assert (back.state, back.losses) == (BatchState.RETURNED, 1)


def test_the_names_of_failed_tests_are_kept_within_bounds_and_counted_beyond() -> None:
    names = [f"test_{number}" for number in range(batches.MOST_FAILED + 5)]

    many = batches.commit(leased(holder()), names)
    long = batches.commit(leased(holder()), ["a" * batches.MOST_FAILED_CHARACTERS, "b"])

    assert many.state is BatchState.DONE
    assert (many.failed, many.failed_count) == (tuple(names[: batches.MOST_FAILED]), len(names))
    assert (len(long.failed), long.failed_count) == (1, 2)
