"""WorkStore: leased work, its heartbeats and its admission, in the fake and in DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import OrderRef, WorkOutcome
from crosswind.kernel.errors import WriteConflictError
from crosswind.runs import protocol
from crosswind.runs.admission.ports import (
    Heads,
)
from crosswind.runs.model import (
    LEASE_DURATION,
    Announced,
    Commit,
    InfrastructureFailure,
    Lease,
    Progress,
    ShardSummary,
    Work,
    WorkKey,
    WorkState,
)
from tests.contract.queue_rig import TERM, InDynamoDb, InMemory, Stores, admission_of, lead
from tests.fakes import START, make_entry, make_work


class WorkStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def stores(self) -> Stores: ...

    def test_unknown_work_is_none(self, stores: Stores) -> None:
        assert stores.work.get(WorkKey("run-x", "shard-00000")) is None

    def test_many_are_read_in_the_order_asked_and_unknown_ones_left_out(self, stores: Stores) -> None:
        saved = [stores.work.save(None, make_work(number)) for number in range(205)]
        keys = [work.key for work in reversed(saved)]

        assert stores.work.get_many([*keys, WorkKey("run-x", "shard-00000"), keys[0]]) == tuple(saved[::-1])
        assert stores.work.get_many([]) == ()

    def test_new_work_gets_version_one_and_waits(self, stores: Stores) -> None:
        saved = stores.work.save(None, make_work())

        assert saved.version == 1
        assert stores.work.get(saved.key) == saved
        assert stores.heads() == Heads((make_entry(),), more=False)

    def test_everything_of_a_work_item_comes_back(self, stores: Stores) -> None:
        at = START + timedelta(milliseconds=123)
        full = make_work(
            7,
            state=WorkState.DONE,
            epoch=4,
            attempt=3,
            token_at=at,
            estimate_seconds=12.25,
            not_before=at,
            admitted_at=at,
            redispatched_at=at,
            lease=Lease(runner_id="pod-1", started_at=at, expires_at=at + timedelta(seconds=30)),
            progress=Progress(tests_done=5, tests_failed=1, log_bytes=2**40),
            failures=(
                InfrastructureFailure(
                    attempt=1, reason="lease_lost", detail="no beat since 08:00 — ✗", at=at
                ),
                InfrastructureFailure(attempt=2, reason="runner_error", detail="", at=at),
            ),
            commit=Commit(
                outcome=WorkOutcome.COMPLETED, attempt=3, epoch=4, at=at, reason=None, prefix="runs/x/03-004/"
            ),
            summary=ShardSummary(
                tests=9,
                passed=4,
                failed=1,
                errors=1,
                skipped=2,
                flaky=1,
                cases_key="c",
                faults=("one", "two"),
            ),
            suite_concurrency=40,
            cpu_millis=500,
            memory_mib=1024,
            anti_affinity="account-1",
            round=2,
            pull_id="00-api-1",
            group="load-shard-00000",
            group_size=3,
            cluster="main",
            interruptible=True,
            borrowed=True,
            preemptions=2,
            decision="One of 3 free slots.",
            announcements=(Announced("live", at), Announced("breach", at, detail="p95 was 900 ms")),
            awaits=3,
        )

        saved = stores.work.save(None, full)

        assert not [field.name for field in fields(full) if getattr(full, field.name) is None]
        assert stores.work.get(full.key) == saved == replace(full, version=1)

    def test_optional_fields_may_be_none(self, stores: Stores) -> None:
        summary = ShardSummary(tests=0, passed=0, failed=0, errors=0, skipped=0, flaky=0, cases_key=None)
        saved = stores.work.save(None, make_work(token=None, summary=summary))

        assert stores.work.get(saved.key) == saved

    def test_a_whole_estimate_comes_back_as_a_float(self, stores: Stores) -> None:
        saved = stores.work.save(None, make_work(estimate_seconds=3.0))

        stored = stores.work.get(saved.key)

        assert stored is not None
        assert isinstance(stored.estimate_seconds, float)

    def test_work_that_exists_is_not_created_again(self, stores: Stores) -> None:
        stores.work.save(None, make_work())

        with pytest.raises(WriteConflictError):
            stores.work.save(None, make_work(token="other"))

    def test_the_second_of_two_writers_loses(self, stores: Stores) -> None:
        first = stores.work.save(None, make_work())
        won = stores.work.save(first, replace(first, token="won"))

        with pytest.raises(WriteConflictError):
            stores.work.save(first, replace(first, token="lost"))

        assert stores.work.get(first.key) == won

    def test_the_second_of_two_writers_loses_where_the_queue_changes(self, stores: Stores) -> None:
        first = stores.work.save(None, make_work())
        stores.admit(first)

        with pytest.raises(WriteConflictError):
            stores.work.save(first, replace(first, state=WorkState.DONE))

        assert stores.active() == ["shard-00000"]

    def test_work_that_does_not_exist_cannot_be_changed(self, stores: Stores) -> None:
        with pytest.raises(WriteConflictError):
            stores.work.save(make_work(version=3), make_work(version=3))

    def test_the_queue_follows_from_waiting_to_active_to_nothing(self, stores: Stores) -> None:
        waiting = stores.work.save(None, make_work())
        assert (stores.waiting(), stores.active()) == (["shard-00000"], [])

        admitted = stores.admit(waiting)
        assert (stores.waiting(), stores.active()) == ([], ["shard-00000"])

        leased = stores.work.save(admitted, replace(admitted, state=WorkState.LEASED, epoch=1))
        assert (stores.waiting(), stores.active()) == ([], ["shard-00000"])

        done = stores.work.save(leased, replace(leased, state=WorkState.DONE))
        assert (stores.waiting(), stores.active()) == ([], [])
        assert done.version == 4

    def test_lost_work_waits_again_with_its_backoff(self, stores: Stores) -> None:
        admitted = stores.admit(stores.work.save(None, make_work()))
        later = START + timedelta(seconds=8)

        back = replace(admitted, state=WorkState.WAITING, attempt=2, admitted_at=None, not_before=later)
        stores.work.save(admitted, back)

        assert stores.active() == []
        assert stores.heads().entries == (make_entry(not_before=later),)

    def test_work_that_waits_from_a_new_moment_has_one_line_only(self, stores: Stores) -> None:
        first = stores.work.save(None, make_work())
        later = START + timedelta(minutes=1)

        stores.work.save(first, replace(first, enqueued_at=later))

        assert stores.heads().entries == (make_entry(enqueued_at=later),)

    def test_a_new_token_leaves_the_queue_alone(self, stores: Stores) -> None:
        first = stores.work.save(None, make_work())

        stores.work.save(first, replace(first, token="newer"))

        assert stores.waiting() == ["shard-00000"]

    def test_work_of_a_run_comes_by_work_id_and_without_other_runs(self, stores: Stores) -> None:
        for number in (2, 0, 1):
            stores.work.save(None, make_work(number))
        stores.work.save(None, make_work(5, run=2))

        found = list(stores.work.of_run(make_work().key.run_id))

        assert [work.key.work_id for work in found] == ["shard-00000", "shard-00001", "shard-00002"]

    def test_long_orders_of_a_run_come_back_in_all_pages(self, stores: Stores) -> None:
        for number in range(30):
            order = OrderRef(key="k" * 60_000, offset=0, length=1)
            stores.work.save(None, make_work(number, order=order, state=WorkState.DONE))

        assert len(list(stores.work.of_run(make_work().key.run_id))) == 30


class AdmissionContract(ABC):
    @abstractmethod
    @pytest.fixture
    def stores(self) -> Stores: ...

    def test_many_are_admitted_under_the_fence(self, stores: Stores) -> None:
        fence = lead(stores)
        pairs = [admission_of(stores.work.save(None, make_work(number))) for number in range(65)]

        admitted = stores.work.admit_all(pairs, fence=fence)

        assert [work.version for work in admitted] == [2] * 65
        assert stores.queue.waiting_count(at_most=100) == 0
        assert len(stores.active()) == 65

    def test_one_that_lost_is_left_out_and_costs_no_other(self, stores: Stores) -> None:
        fence = lead(stores)
        works = [stores.work.save(None, make_work(number)) for number in range(5)]
        stores.work.save(works[2], replace(works[2], state=WorkState.DONE))

        admitted = stores.work.admit_all([admission_of(work) for work in works], fence=fence)

        assert [work.key.work_id for work in admitted] == [
            "shard-00000",
            "shard-00001",
            "shard-00003",
            "shard-00004",
        ]
        assert stores.active() == [work.key.work_id for work in admitted]
        assert stores.waiting() == []

    def test_nothing_is_admitted_when_the_fence_has_moved(self, stores: Stores) -> None:
        fence = lead(stores)
        work = stores.work.save(None, make_work())
        assert stores.queue.lead("other", now=START + TERM, duration=TERM)

        with pytest.raises(WriteConflictError):
            stores.work.admit_all([admission_of(work)], fence=fence)

        assert stores.waiting() == ["shard-00000"]

    def test_admitting_nothing_is_no_error(self, stores: Stores) -> None:
        assert stores.work.admit_all([], fence=lead(stores)) == ()


class HeartbeatContract(ABC):
    """A heartbeat changes no version, and of a heartbeat and the end of the lease one wins."""

    @abstractmethod
    @pytest.fixture
    def stores(self) -> Stores: ...

    @pytest.fixture
    def leased(self, stores: Stores) -> Work:
        waiting = stores.work.save(None, make_work())
        admitted = protocol.admit(waiting, now=START)
        assert admitted is not None
        held = protocol.claim(stores.work.save(waiting, admitted.work), attempt=1, runner_id="r", now=START)
        assert held is not None
        return stores.work.save(stores.work.get(waiting.key), held.work)

    def test_it_is_seen_by_every_reader_and_changes_no_version(self, stores: Stores, leased: Work) -> None:
        once = beat(stores, leased, 10)
        twice = beat(stores, once, 20)
        assert stores.work.get(leased.key) == twice
        assert twice.version == leased.version
        assert twice.lease is not None
        assert twice.lease.expires_at == START + timedelta(seconds=20) + LEASE_DURATION
        assert stores.work.get_many([leased.key]) == (twice,)
        other = stores.work.save(None, make_work(2))
        assert list(stores.work.of_run(leased.key.run_id)) == [twice, other]
        tallies = list(stores.work.tallies(leased.key.run_id))
        assert [(tally.leased, tally.progress.tests_done) for tally in tallies] == [(True, 20), (False, 0)]

    def test_a_change_of_the_work_meanwhile_costs_no_heartbeat(self, stores: Stores, leased: Work) -> None:
        stored = stores.work.save(leased, replace(leased, token="newer"))
        beat(stores, leased, 10)
        seen = stores.work.get(leased.key)
        assert seen is not None
        assert (seen.token, seen.version, seen.progress.tests_done) == ("newer", stored.version, 10)

    def test_a_heartbeat_costs_no_change_of_the_work(self, stores: Stores, leased: Work) -> None:
        beat(stores, leased, 10)
        stores.work.save(leased, replace(leased, token="newer"))
        seen = stores.work.get(leased.key)
        assert seen is not None
        assert (seen.token, seen.progress.tests_done) == ("newer", 10)

    @pytest.mark.parametrize("beats", [0, 1])
    def test_a_lapse_that_did_not_see_the_last_heartbeat_loses(
        self, stores: Stores, leased: Work, beats: int
    ) -> None:
        seen = leased if not beats else beat(stores, leased, 5)
        beat(stores, seen, 10)
        lapsed = protocol.lapse(seen, now=START + timedelta(hours=1))
        assert lapsed is not None
        with pytest.raises(WriteConflictError):
            stores.work.save(seen, lapsed.work)

    @pytest.mark.parametrize("beats", [0, 1])
    def test_a_heartbeat_after_the_lease_ended_loses(self, stores: Stores, leased: Work, beats: int) -> None:
        held = leased if not beats else beat(stores, leased, 5)
        cancelled = protocol.cancel(held, reason="over", now=START)
        assert cancelled is not None
        done = stores.work.save(held, cancelled.work)
        with pytest.raises(WriteConflictError):
            beat(stores, held, 10)
        assert stores.work.get(leased.key) == done

    def test_one_of_an_earlier_lease_loses_and_the_new_lease_is_beaten(
        self, stores: Stores, leased: Work
    ) -> None:
        held = beat(stores, leased, 5)
        waiting = stores.work.save(held, protocol.hand_back(held, epoch=held.epoch, now=START).work)
        admitted = protocol.admit(waiting, now=START)
        assert admitted is not None
        again = protocol.claim(stores.work.save(waiting, admitted.work), attempt=1, runner_id="s", now=START)
        assert again is not None
        mine = stores.work.save(stores.work.get(leased.key), again.work)
        with pytest.raises(WriteConflictError):
            beat(stores, held, 10)
        assert beat(stores, mine, 15) == stores.work.get(leased.key)

    def test_a_preempted_lease_takes_no_more_heartbeats(self, stores: Stores, leased: Work) -> None:
        held = beat(stores, leased, 5)
        borrowed = stores.work.save(held, replace(held, borrowed=True, priority=Priority.P2))
        preempted = protocol.preempt(borrowed, now=START)
        assert preempted is not None
        fence = lead(stores)
        assert stores.work.admit_all([(borrowed, preempted.work)], fence=fence)
        with pytest.raises(WriteConflictError):
            beat(stores, held, 10)


def beat(stores: Stores, work: Work, seconds: int) -> Work:
    """A heartbeat so many seconds after the start."""
    now = START + timedelta(seconds=seconds)
    progress = Progress(tests_done=seconds)
    return stores.work.save(work, protocol.beat(work, epoch=work.epoch, progress=progress, now=now).work)


class TestMemoryWorkStore(InMemory, WorkStoreContract):
    """The fake."""


class TestMemoryHeartbeats(InMemory, HeartbeatContract):
    """The fake."""


class TestMemoryAdmission(InMemory, AdmissionContract):
    """The fake."""


class TestDynamoWorkStore(InDynamoDb, WorkStoreContract):
    """DynamoDB, as moto has it."""


class TestDynamoHeartbeats(InDynamoDb, HeartbeatContract):
    """DynamoDB, as moto has it."""


class TestDynamoAdmission(InDynamoDb, AdmissionContract):
    """DynamoDB, as moto has it."""
