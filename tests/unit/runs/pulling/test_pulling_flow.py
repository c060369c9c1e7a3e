"""Runners that pull, and what brings a batch back: the use cases over stores in memory."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.work import PullList, PullRef, PullUnit
from crosswind.kernel.errors import LeaseLostError
from crosswind.runs import layout, protocol
from crosswind.runs.model import LEASE_DURATION, Lease, Work, WorkState
from crosswind.runs.pulling.model import Batch, BatchState
from crosswind.runs.pulling.worklist import WorkList
from crosswind.runs.usecases.pulling import (
    CommitBatch,
    CommittedBatches,
    LeaseBatch,
    MeasureShortfall,
    OpenWorkList,
    ReturnBatch,
    ReturnLapsed,
)
from tests.fakes import START, MemoryObjectStore, MemoryPullStore, MemoryWorkStore, make_work

PULL = "00-api-1"
RUN = make_work().key.run_id


def no_pause(repetition: int) -> None:
    """Tests do not wait."""


class Runners:
    """Shards that pull from one list."""

    def __init__(self, *, units: int = 6) -> None:
        self.works = MemoryWorkStore()
        self.pulls = MemoryPullStore(self.works)
        self.listed = WorkList.of(make_list(units))
        self.lease_batch = LeaseBatch(self.pulls, self.works, no_pause)
        self.commit = CommitBatch(self.pulls)
        self.give_back = ReturnBatch(self.pulls, self.works, no_pause)
        self.return_lapsed = ReturnLapsed(self.pulls, self.works, no_pause)

    def claims(self, number: int, *, epoch: int = 1, **changes: Any) -> Work:
        """A shard that a runner has just claimed."""
        lease = Lease(runner_id="r", started_at=START, expires_at=START + LEASE_DURATION)
        work = make_work(number, state=WorkState.LEASED, epoch=epoch, lease=lease, pull_id=PULL, **changes)
        return self.works.save(self.works.get(work.key), work)

    def lease(self, work: Work) -> Batch | None:
        return self.lease_batch(work, self.listed)

    def leases(self, work: Work) -> Batch:
        batch = self.lease(work)
        assert batch is not None
        return batch

    def dies(self, work: Work) -> Work:
        lapsed = protocol.lapse(self.works.items[work.key], now=START + LEASE_DURATION)
        assert lapsed is not None
        return self.works.save(self.works.items[work.key], lapsed.work)

    def shortfall(self) -> str | None:
        return MeasureShortfall(self.pulls)(RUN, self.listed).sentence()


def make_list(units: int) -> PullList:
    return PullList(
        pull_id=PULL,
        runners=2,
        units=tuple(PullUnit(test_ids=(f"t{number}",), estimate_seconds=60) for number in range(units)),
    )


def test_a_list_is_read_from_where_the_order_says() -> None:
    objects = MemoryObjectStore()
    ref = PullRef(pull_id=PULL, key=layout.pull_list_key(RUN, PULL))
    objects.put(ref.key, make_list(3).to_wire().encode())

    assert OpenWorkList(objects)(ref) == WorkList.of(make_list(3))


def test_two_runners_work_a_list_off() -> None:
    runners = Runners()
    workers = [runners.claims(0), runners.claims(1)]

    while leased := [(work, batch) for work in workers if (batch := runners.lease(work))]:
        for work, batch in leased:
            runners.commit(work, batch)

    done = [CommittedBatches(runners.pulls)(RUN, PULL, work.key.work_id) for work in workers]
    tests = [test for batches in done for batch in batches for test in runners.listed.test_ids(batch)]
    assert sorted(tests) == [f"t{number}" for number in range(6)]
    assert all(done)
    assert runners.shortfall() is None


def test_an_uncommitted_batch_is_told_again() -> None:
    runners = Runners()
    work = runners.claims(0)

    assert runners.leases(work) == runners.leases(work)
    assert len(runners.pulls.batches) == 1


def test_the_watchdog_brings_back_what_a_dead_runner_held_and_leaves_the_others_theirs() -> None:
    runners = Runners()
    dead, alive = runners.claims(0), runners.claims(1)
    lost, kept = runners.leases(dead), runners.leases(alive)
    assert runners.return_lapsed(RUN, [PULL]) == 0

    runners.dies(dead)
    assert runners.return_lapsed(RUN, [PULL]) == 1

    assert runners.pulls.batches == [kept]
    runners.commit(alive, kept)
    again = runners.leases(alive)
    assert (again.number, again.attempt, again.losses) == (lost.number, 2, 1)
    with pytest.raises(LeaseLostError):
        runners.commit(dead, lost)


def test_a_runner_without_work_takes_over_from_a_dead_one_before_the_watchdog_comes() -> None:
    runners = Runners(units=1)
    dead, idle = runners.claims(0), runners.claims(1)
    lost = runners.leases(dead)
    assert runners.lease(idle) is None

    runners.dies(dead)

    assert runners.leases(idle).number == lost.number


def test_the_next_attempt_of_a_shard_takes_its_own_batch_over() -> None:
    runners = Runners(units=1)
    lost = runners.leases(runners.claims(0))

    again = runners.leases(runners.claims(0, epoch=2, attempt=2))

    assert (again.number, again.attempt, again.epoch) == (lost.number, 2, 2)
    assert again.prefix != lost.prefix


def test_a_zombie_is_told_that_its_lease_is_lost() -> None:
    runners = Runners()
    zombie = runners.claims(0)
    runners.leases(runners.claims(0, epoch=2, attempt=2))

    with pytest.raises(LeaseLostError):
        runners.lease(zombie)


def test_a_runner_that_hands_its_shard_back_lets_go_of_its_batch() -> None:
    runners = Runners()
    work = runners.claims(0)
    batch = runners.leases(work)
    runners.give_back(work)
    assert runners.pulls.held(RUN, PULL, work.key.work_id) == batch

    runners.works.save(work, protocol.hand_back(work, epoch=1, now=START).work)
    runners.give_back(work)

    again = runners.leases(runners.claims(1))
    assert (again.number, again.attempt, again.losses) == (batch.number, 2, 0)


def test_a_preempted_shard_loses_its_batch_and_the_batch_loses_nothing() -> None:
    runners = Runners()
    work = runners.claims(0, borrowed=True)
    runners.leases(work)
    preempted = replace(work, state=WorkState.WAITING, lease=None, epoch=2, preemptions=1)
    runners.works.save(work, preempted)

    assert runners.return_lapsed(RUN, [PULL]) == 1

    again = runners.leases(runners.claims(1))
    assert (again.attempt, again.losses) == (2, 0)


def test_a_batch_that_takes_every_runner_with_it_is_given_up_and_said_so() -> None:
    runners = Runners(units=1)
    for number in range(2):
        work = runners.claims(number, infrastructure_retries=1)
        runners.leases(work)
        runners.dies(work)
        runners.return_lapsed(RUN, [PULL])

    assert runners.lease(runners.claims(2)) is None
    assert [batch.state for batch in runners.pulls.batches] == [BatchState.LOST]
    assert runners.shortfall() == (
        "1 unit of the work list was not done: 1 given up, for their runners were lost again and again."
    )


def test_a_shortfall_tells_what_nobody_took_and_what_nobody_brought_back() -> None:
    runners = Runners(units=4)
    work = runners.claims(0)
    batch = runners.leases(work)

    sentence = runners.shortfall()

    left = 4 - batch.count
    assert sentence == (
        f"4 units of the work list were not done: {batch.count} with a runner that never reported, "
        f"{left} never given out."
    )


def test_work_that_pulls_from_nothing_has_nothing_to_return() -> None:
    runners = Runners()
    runners.give_back(make_work(5, enqueued_at=START + timedelta(seconds=1)))
    assert runners.pulls.batches == []
