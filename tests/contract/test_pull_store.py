"""PullStore in memory and in DynamoDB: a batch is in one place, and moves only for who may move it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.adapters.aws.pull_store import DynamoPullStore
from crosswind.adapters.aws.work_store import DynamoWorkStore
from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs.model import Lease, Work, WorkState
from crosswind.runs.ports import WorkStore
from crosswind.runs.pulling import batches
from crosswind.runs.pulling.model import Batch, BatchState, PullHead
from crosswind.runs.pulling.ports import PullStore
from tests.fakes import START, MemoryPullStore, MemoryWorkStore, SettableClock, make_work
from tests.stores.embedded import Tables

RUN = make_work().key.run_id
PULL = "00-api-1"


@dataclass(frozen=True)
class Stores:
    """Work lists and the work that leases from them."""

    pulls: PullStore
    works: WorkStore

    def holder(self, number: int = 0, **changes: Any) -> Work:
        lease = Lease(runner_id="r", started_at=START, expires_at=START + timedelta(seconds=30))
        values: dict[str, Any] = {"state": WorkState.LEASED, "epoch": 1, "lease": lease, "pull_id": PULL}
        return self.works.save(None, make_work(number, **(values | changes)))

    def loses_its_lease(self, work: Work) -> Work:
        return self.works.save(work, replace(work, state=WorkState.WAITING, lease=None, attempt=2))

    def head(self, stripe: int = 0) -> PullHead:
        (head,) = self.pulls.heads(RUN, PULL, stripes=(stripe,))
        return head

    def lease(self, holder: Work, *, units: int = 2, stripe: int = 0) -> Batch:
        head, batch = batches.lease_next(self.head(stripe), holder, units=units)
        self.pulls.lease(head, batch, holder=holder)
        return batch


class PullStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def stores(self) -> Stores: ...

    def test_heads_are_fresh_before_anybody_has_pulled(self, stores: Stores) -> None:
        heads = stores.pulls.heads(RUN, PULL, stripes=range(3))

        assert heads == tuple(PullHead(run_id=RUN, pull_id=PULL, stripe=stripe) for stripe in range(3))

    def test_a_lease_moves_its_head_on_and_no_other(self, stores: Stores) -> None:
        batch = stores.lease(stores.holder(), units=3, stripe=1)

        first, second = stores.pulls.heads(RUN, PULL, stripes=range(2))
        assert (first.next_unit, first.version) == (0, 0)
        assert (second.next_unit, second.next_number, second.version) == (3, 1, 1)
        assert stores.pulls.held(RUN, PULL, "shard-00000") == batch
        assert stores.pulls.held(RUN, PULL, "shard-00001") is None
        assert list(stores.pulls.leased(RUN, PULL)) == [batch]

    def test_of_two_runners_at_one_head_one_gets_the_units(self, stores: Stores) -> None:
        one, two = stores.holder(1), stores.holder(2)
        head = stores.head()
        stores.pulls.lease(*batches.lease_next(head, one, units=2), holder=one)

        with pytest.raises(WriteConflictError):
            stores.pulls.lease(*batches.lease_next(head, two, units=2), holder=two)

        assert stores.lease(two).first == 2

    def test_a_shard_holds_one_batch_at_most(self, stores: Stores) -> None:
        work = stores.holder()
        batch = stores.lease(work)

        with pytest.raises(WriteConflictError):
            stores.lease(work)

        assert stores.head().next_unit == batch.count

    def test_who_lost_the_lease_leases_nothing(self, stores: Stores) -> None:
        work = stores.holder()
        stores.loses_its_lease(work)

        with pytest.raises(LeaseLostError):
            stores.lease(work)

        assert stores.head().version == 0

    def test_unknown_work_leases_nothing(self, stores: Stores) -> None:
        with pytest.raises(LeaseLostError):
            stores.lease(make_work(9, state=WorkState.LEASED, epoch=1))

    def test_a_committed_batch_is_done_and_its_shard_free(self, stores: Stores) -> None:
        work = stores.holder()
        done = batches.commit(stores.lease(work), ["a[✗]", "b"])

        assert stores.pulls.commit(done, holder=work) == done

        assert list(stores.pulls.committed(RUN, PULL)) == [done]
        assert stores.pulls.held(RUN, PULL, "shard-00000") is None
        assert stores.lease(work).number == 1

    def test_a_repeated_commit_tells_what_was_committed_first(self, stores: Stores) -> None:
        work = stores.holder()
        batch = stores.lease(work)
        done = stores.pulls.commit(batches.commit(batch, ["a"]), holder=work)
        stores.loses_its_lease(work)

        assert stores.pulls.commit(batches.commit(batch, []), holder=work) == done

    def test_a_zombies_commit_is_refused(self, stores: Stores) -> None:
        work = stores.holder()
        batch = stores.lease(work)
        stores.loses_its_lease(work)

        with pytest.raises(LeaseLostError):
            stores.pulls.commit(batches.commit(batch, []), holder=work)

        assert list(stores.pulls.committed(RUN, PULL)) == []
        assert stores.pulls.held(RUN, PULL, "shard-00000") == batch

    def test_a_batch_that_came_back_is_leased_again_by_another(self, stores: Stores) -> None:
        work, other = stores.holder(1), stores.holder(2)
        batch = stores.lease(work)
        back = batches.take_back(batch, stores.loses_its_lease(work))

        stores.pulls.give_back(batches.with_returned(stores.head(), back), back)
        head, again = batches.lease_returned(stores.head(), other)
        stores.pulls.lease(head, again, holder=other)

        assert stores.pulls.held(RUN, PULL, "shard-00001") is None
        assert (again.number, again.attempt, again.losses) == (batch.number, 2, 1)
        assert stores.head().returned == ()
        with pytest.raises(LeaseLostError):
            stores.pulls.commit(batches.commit(batch, []), holder=work)

    def test_a_batch_comes_back_once(self, stores: Stores) -> None:
        work = stores.holder()
        back = batches.take_back(stores.lease(work), stores.loses_its_lease(work))
        stores.pulls.give_back(batches.with_returned(stores.head(), back), back)

        with pytest.raises(WriteConflictError):
            stores.pulls.give_back(batches.with_returned(stores.head(), back), back)

        assert len(stores.head().returned) == 1

    def test_a_batch_does_not_come_back_to_a_head_that_has_moved(self, stores: Stores) -> None:
        work = stores.holder(1)
        batch, before = stores.lease(work), stores.head()
        stores.lease(stores.holder(2))
        back = batches.take_back(batch, stores.loses_its_lease(work))

        with pytest.raises(WriteConflictError):
            stores.pulls.give_back(batches.with_returned(before, back), back)

        assert stores.pulls.held(RUN, PULL, "shard-00001") == batch

    def test_the_next_batch_of_a_holder_is_not_taken_for_the_one_before(self, stores: Stores) -> None:
        work = stores.holder()
        first = stores.lease(work)
        stores.pulls.commit(batches.commit(first, []), holder=work)
        second = stores.lease(work)
        back = replace(first, state=BatchState.RETURNED)

        with pytest.raises(WriteConflictError):
            stores.pulls.give_back(batches.with_returned(stores.head(), back), back)

        assert stores.pulls.held(RUN, PULL, "shard-00000") == second

    def test_a_batch_that_was_given_up_is_told_apart(self, stores: Stores) -> None:
        work = stores.holder(infrastructure_retries=0)
        lost = batches.take_back(stores.lease(work), stores.loses_its_lease(work))
        assert lost.state is BatchState.LOST

        stores.pulls.give_up(lost)

        assert stores.pulls.lost(RUN, PULL) == (lost,)
        assert list(stores.pulls.leased(RUN, PULL)) == []
        with pytest.raises(WriteConflictError):
            stores.pulls.give_up(lost)

    def test_everything_of_a_batch_comes_back(self, stores: Stores) -> None:
        work = stores.holder(3)
        full = replace(
            batches.commit(stores.lease(work, stripe=2), ["a"]), attempt=2, losses=1, work_attempt=1
        )

        stores.pulls.commit(full, holder=work)

        assert not [field.name for field in fields(full) if getattr(full, field.name) is None]
        assert list(stores.pulls.committed(RUN, PULL)) == [full]

    def test_committed_batches_come_by_shard_stripe_and_number(self, stores: Stores) -> None:
        expected = []
        for number in (2, 1):
            work = stores.holder(number)
            for stripe in (1, 0, 0):
                done = batches.commit(stores.lease(work, stripe=stripe), [])
                expected.append(stores.pulls.commit(done, holder=work))
        by_place = sorted(expected, key=lambda batch: (batch.work_id, batch.stripe, batch.number))

        assert list(stores.pulls.committed(RUN, PULL)) == by_place
        assert list(stores.pulls.committed(RUN, PULL, "shard-00001")) == by_place[:3]
        assert list(stores.pulls.committed(RUN, "00-other-1")) == []

    def test_the_first_leased_batches_can_be_looked_at_alone(self, stores: Stores) -> None:
        leased = [stores.lease(stores.holder(number)) for number in range(4)]

        assert list(stores.pulls.leased(RUN, PULL, limit=2)) == leased[:2]
        assert list(stores.pulls.leased(RUN, PULL)) == leased


class TestMemoryPullStore(PullStoreContract):
    @pytest.fixture
    def stores(self) -> Stores:
        works = MemoryWorkStore()
        return Stores(MemoryPullStore(works), works)


class TestDynamoPullStore(PullStoreContract):
    @pytest.fixture
    def stores(self, tables: Tables) -> Stores:
        works = DynamoWorkStore(
            dynamo=tables.dynamo,
            runs_table=tables.runs,
            queue_table=tables.queue,
            retention=timedelta(days=90),
        )
        pulls = DynamoPullStore(
            dynamo=tables.dynamo, table=tables.runs, clock=SettableClock(), retention=timedelta(days=90)
        )
        return Stores(pulls, works)
