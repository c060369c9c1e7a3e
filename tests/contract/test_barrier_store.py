"""BarrierStore in memory and in DynamoDB: decided once, and only by workers that hold their leases."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.barrier_store import DynamoBarrierStore
from crosswind.adapters.aws.work_store import DynamoWorkStore
from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs.load.barrier import Barrier, Ready, Start, Stop
from crosswind.runs.load.ports import BarrierStore
from crosswind.runs.model import Lease, Work, WorkState
from crosswind.runs.ports import WorkStore
from tests.fakes import START, MemoryBarrierStore, MemoryWorkStore, SettableClock, make_work
from tests.stores.embedded import Tables

RUN = make_work().key.run_id
GROUP = "load-shard-00000"


@dataclass(frozen=True)
class Stores:
    """Barriers and the work that meets at them."""

    barriers: BarrierStore
    works: WorkStore

    def holder(self, number: int) -> Work:
        lease = Lease(runner_id="r", started_at=START, expires_at=START + timedelta(seconds=30))
        return self.works.save(None, make_work(number, state=WorkState.LEASED, epoch=1, lease=lease))

    def loses_its_lease(self, work: Work) -> Work:
        return self.works.save(work, replace(work, state=WorkState.WAITING, lease=None, attempt=2))


class BarrierStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def stores(self) -> Stores: ...

    def test_nothing_is_known_before_anybody_is_there(self, stores: Stores) -> None:
        assert stores.barriers.get(RUN, GROUP) == Barrier(RUN, GROUP)

    def test_the_first_ones_moment_stays(self, stores: Stores) -> None:
        stores.barriers.open(RUN, GROUP, at=START)
        stores.barriers.open(RUN, GROUP, at=START + timedelta(seconds=9))

        assert stores.barriers.get(RUN, GROUP).opened_at == START
        assert stores.barriers.get(RUN, "load-shard-00009").opened_at is None

    def test_the_latest_word_of_each_worker_counts(self, stores: Stores) -> None:
        one, two = stores.holder(1), stores.holder(2)
        later = START + timedelta(seconds=3)
        for holder, at in ((one, START), (two, START), (one, later)):
            stores.barriers.say_ready(GROUP, holder=holder, at=at)

        assert stores.barriers.get(RUN, GROUP).ready == {
            "shard-00001": Ready("shard-00001", 1, later),
            "shard-00002": Ready("shard-00002", 1, START),
        }

    def test_who_has_lost_the_lease_has_no_word(self, stores: Stores) -> None:
        holder = stores.holder(1)
        stores.loses_its_lease(holder)

        with pytest.raises(LeaseLostError):
            stores.barriers.say_ready(GROUP, holder=holder, at=START)

        assert stores.barriers.get(RUN, GROUP).ready == {}

    def test_a_start_is_decided_once(self, stores: Stores) -> None:
        stores.holder(1)
        stores.holder(2)
        start = Start(START, {"shard-00001": 1, "shard-00002": 1})
        stores.barriers.start(RUN, GROUP, start)

        with pytest.raises(WriteConflictError):
            stores.barriers.start(RUN, GROUP, replace(start, at=START + timedelta(seconds=1)))
        with pytest.raises(WriteConflictError):
            stores.barriers.stop(RUN, GROUP, Stop("too late", START))

        assert stores.barriers.get(RUN, GROUP).decision == start

    def test_a_start_needs_every_lease(self, stores: Stores) -> None:
        stores.holder(1)
        stores.loses_its_lease(stores.holder(2))

        for epochs in ({"shard-00001": 1, "shard-00002": 1}, {"shard-00001": 2}, {"shard-00009": 1}):
            with pytest.raises(WriteConflictError):
                stores.barriers.start(RUN, GROUP, Start(START, epochs))

        assert stores.barriers.get(RUN, GROUP).decision is None

    def test_fifty_workers_fit_into_one_decision(self, stores: Stores) -> None:
        epochs = {stores.holder(number).key.work_id: 1 for number in range(50)}

        stores.barriers.start(RUN, GROUP, Start(START, epochs))

        assert stores.barriers.get(RUN, GROUP).decision == Start(START, epochs)

    def test_a_stop_is_decided_once(self, stores: Stores) -> None:
        stop = Stop("2 of 3 workers were ready within 60 s", START)
        stores.barriers.stop(RUN, GROUP, stop)

        with pytest.raises(WriteConflictError):
            stores.barriers.stop(RUN, GROUP, Stop("another", START))

        assert stores.barriers.get(RUN, GROUP).decision == stop

    def test_one_shard_judges(self, stores: Stores) -> None:
        assert stores.barriers.claim_judging(RUN, GROUP, "shard-00002") == "shard-00002"
        assert stores.barriers.claim_judging(RUN, GROUP, "shard-00001") == "shard-00002"
        assert stores.barriers.claim_judging(RUN, GROUP, "shard-00002") == "shard-00002"
        assert stores.barriers.claim_judging(RUN, "another", "shard-00001") == "shard-00001"


class TestMemoryBarrierStore(BarrierStoreContract):
    @pytest.fixture
    def stores(self) -> Stores:
        works = MemoryWorkStore()
        return Stores(MemoryBarrierStore(works), works)


class TestDynamoBarrierStore(BarrierStoreContract):
    @pytest.fixture
    def stores(self, tables: Tables) -> Stores:
        works = DynamoWorkStore(
            dynamo=tables.dynamo,
            runs_table=tables.runs,
            queue_table=tables.queue,
            retention=timedelta(days=90),
        )
        barriers = DynamoBarrierStore(
            dynamo=tables.dynamo, table=tables.runs, clock=SettableClock(), retention=timedelta(days=90)
        )
        return Stores(barriers, works)
