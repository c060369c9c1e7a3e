"""WorkStore and QueueStore belong together: the lists follow the work items, in the fake and in DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.adapters.aws.work_store import DynamoWorkStore
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import OrderRef, WorkOutcome
from crosswind.kernel.errors import WriteConflictError
from crosswind.runs.admission.model import Account, Reason, Share, TeamPolicy
from crosswind.runs.admission.ports import (
    ExecutorCapacity,
    Heads,
    QueueStore,
    Rules,
    TeamSettings,
    Waiting,
)
from crosswind.runs.model import (
    Commit,
    InfrastructureFailure,
    Lease,
    Progress,
    ShardSummary,
    Work,
    WorkKey,
    WorkState,
    WorkTally,
)
from crosswind.runs.ports import WorkStore
from tests.fakes import START, MemoryQueueStore, MemoryWorkStore, make_entry, make_work
from tests.stores.embedded import Tables

TERM = timedelta(seconds=20)


@dataclass(frozen=True)
class Stores:
    """A work store and the queue that it keeps in step."""

    work: WorkStore
    queue: QueueStore

    def waiting(self, run: int = 1) -> list[str]:
        return [entry.key.work_id for entry in self.heads(run).entries]

    def heads(self, run: int = 1, *, limit: int = 100) -> Heads:
        run_id = make_work(run=run).key.run_id
        return self.queue.heads({run_id: limit})[run_id]

    def lanes(self) -> dict[str, int]:
        return {line.run_id[-1]: line.mark for line in self.queue.lanes()}

    def active(self) -> list[str]:
        return [entry.key.work_id for entry in self.queue.active()]

    def admit(self, work: Work) -> Work:
        admitted = self.work.save(work, replace(work, state=WorkState.ADMITTED, admitted_at=START))
        assert admitted.state is WorkState.ADMITTED
        return admitted


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
            borrowed=True,
            preemptions=2,
            decision="One of 3 free slots.",
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
        fence = _lead(stores)
        pairs = [_admission(stores.work.save(None, make_work(number))) for number in range(65)]

        admitted = stores.work.admit_all(pairs, fence=fence)

        assert [work.version for work in admitted] == [2] * 65
        assert stores.queue.waiting_count(at_most=100) == 0
        assert len(stores.active()) == 65

    def test_one_that_lost_is_left_out_and_costs_no_other(self, stores: Stores) -> None:
        fence = _lead(stores)
        works = [stores.work.save(None, make_work(number)) for number in range(5)]
        stores.work.save(works[2], replace(works[2], state=WorkState.DONE))

        admitted = stores.work.admit_all([_admission(work) for work in works], fence=fence)

        assert [work.key.work_id for work in admitted] == [
            "shard-00000",
            "shard-00001",
            "shard-00003",
            "shard-00004",
        ]
        assert stores.active() == [work.key.work_id for work in admitted]
        assert stores.waiting() == []

    def test_nothing_is_admitted_when_the_fence_has_moved(self, stores: Stores) -> None:
        fence = _lead(stores)
        work = stores.work.save(None, make_work())
        assert stores.queue.lead("other", now=START + TERM, duration=TERM)

        with pytest.raises(WriteConflictError):
            stores.work.admit_all([_admission(work)], fence=fence)

        assert stores.waiting() == ["shard-00000"]

    def test_admitting_nothing_is_no_error(self, stores: Stores) -> None:
        assert stores.work.admit_all([], fence=_lead(stores)) == ()


class QueueStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def stores(self) -> Stores: ...

    def test_the_longest_of_a_run_come_first_then_the_oldest(self, stores: Stores) -> None:
        for number, (estimate, seconds) in enumerate(((1.0, 30), (1.0, 10), (90.5, 20), (2.25, 0))):
            stores.work.save(
                None,
                make_work(number, estimate_seconds=estimate, enqueued_at=START + timedelta(seconds=seconds)),
            )
        stores.work.save(None, make_work(9, run=2))

        assert stores.waiting() == ["shard-00002", "shard-00003", "shard-00001", "shard-00000"]
        assert stores.waiting(run=2) == ["shard-00009"]
        assert stores.waiting(run=3) == []
        assert [entry.key.work_id for entry in stores.heads(limit=2).entries] == [
            "shard-00002",
            "shard-00003",
        ]

    def test_a_cut_lane_says_that_there_is_more(self, stores: Stores) -> None:
        for number in range(3):
            stores.work.save(None, make_work(number))

        assert stores.heads(limit=2).more
        assert not stores.heads(limit=4).more

    def test_many_in_backoff_hide_none_that_is_ready(self, stores: Stores) -> None:
        for number in range(6):
            later = START + timedelta(minutes=9 - number)
            stores.work.save(None, make_work(number, attempt=2, not_before=later))
        stores.work.save(None, make_work(7))

        found = stores.heads(limit=3)

        assert found.more
        assert {entry.key.work_id for entry in found.entries} == {
            "shard-00003",
            "shard-00004",
            "shard-00005",
            "shard-00007",
        }

    def test_everything_that_admission_weighs_comes_back(self, stores: Stores) -> None:
        weighed: dict[str, Any] = {
            "estimate_seconds": 12.5,
            "suite_concurrency": 7,
            "cpu_millis": 250,
            "memory_mib": 512,
            "anti_affinity": "account-1",
        }
        waiting = stores.work.save(None, make_work(**weighed))
        assert stores.heads().entries == (make_entry(**weighed),)

        stores.work.save(
            waiting, replace(waiting, state=WorkState.ADMITTED, admitted_at=START, borrowed=True)
        )
        assert stores.queue.active() == (make_entry(**weighed, admitted_at=START, borrowed=True),)

    def test_what_is_active_of_one_run_is_found_by_itself(self, stores: Stores) -> None:
        for run in (1, 2):
            stores.admit(stores.work.save(None, make_work(run=run)))

        found = stores.queue.active(run_id=make_work(run=2).key.run_id)

        assert [entry.key.run_id[-1] for entry in found] == ["2"]

    def test_each_entry_that_joins_marks_its_lane(self, stores: Stores) -> None:
        first = stores.work.save(None, make_work(0))
        stores.work.save(None, make_work(1))
        stores.work.save(None, make_work(0, run=2))
        assert stores.lanes() == {"1": 2, "2": 1}

        back = replace(stores.admit(first), state=WorkState.WAITING, not_before=START)
        assert stores.lanes() == {"1": 2, "2": 1}  # leaving is no joining
        stores.work.save(replace(back, state=WorkState.ADMITTED), back)
        assert stores.lanes() == {"1": 3, "2": 1}

    def test_a_lane_tells_whose_it_is(self, stores: Stores) -> None:
        stores.work.save(None, make_work(priority=Priority.P0))

        (line,) = stores.queue.lanes()

        assert (line.team, line.suite, line.priority, line.waiting) == ("demo", "shop", Priority.P0, None)

    def test_an_empty_lane_is_closed(self, stores: Stores) -> None:
        stores.admit(stores.work.save(None, make_work()))
        (line,) = stores.queue.lanes()

        assert stores.queue.close_lane(line)
        assert stores.queue.lanes() == ()

    def test_a_lane_that_an_entry_joined_meanwhile_stays(self, stores: Stores) -> None:
        stores.admit(stores.work.save(None, make_work(0)))
        (line,) = stores.queue.lanes()
        stores.work.save(None, make_work(1))

        assert not stores.queue.close_lane(line)
        assert stores.lanes() == {"1": 2}

    def test_an_entry_that_joins_a_closed_lane_opens_it_again(self, stores: Stores) -> None:
        stores.admit(stores.work.save(None, make_work(0)))
        (line,) = stores.queue.lanes()
        stores.queue.close_lane(line)
        stores.work.save(None, make_work(1))

        assert stores.lanes() == {"1": 1}
        assert stores.waiting() == ["shard-00001"]

    def test_a_lane_whose_mark_was_lost_in_a_crash_is_lined_up_again(self, stores: Stores) -> None:
        work = stores.work.save(None, make_work())
        (line,) = stores.queue.lanes()
        stores.queue.close_lane(line)

        stores.work.line_up(work)

        assert stores.lanes() == {"1": 1}

    def test_a_lane_keeps_why_it_waits(self, stores: Stores) -> None:
        work = stores.work.save(None, make_work())
        why = Waiting(Reason.NO_SLOT, "All 4 slots are taken.", since=START, written_at=START)

        stores.queue.explain(work.key.run_id, why)
        stores.queue.explain(make_work(run=2).key.run_id, why)  # its lane is gone
        stores.work.save(None, make_work(1))

        (line,) = stores.queue.lanes()
        assert line.waiting == why
        assert line.mark == 2

    def test_counts_follow_one_run_where_asked(self, stores: Stores) -> None:
        for run, number in ((1, 0), (1, 1), (2, 0)):
            stores.work.save(None, make_work(number, run=run))

        assert stores.queue.waiting_count(at_most=10, run_id=make_work(run=1).key.run_id) == 2

    def test_tallies_hold_what_is_counted(self, stores: Stores) -> None:
        work = stores.work.save(None, make_work())
        lease = Lease(runner_id="r", started_at=START, expires_at=START)
        stores.work.save(
            work, replace(work, state=WorkState.LEASED, lease=lease, progress=Progress(tests_done=3))
        )

        (tally,) = stores.work.tallies(work.key.run_id)

        assert tally == WorkTally(
            kind=work.kind, state=WorkState.LEASED, leased=True, progress=Progress(tests_done=3)
        )

    def test_rules_come_together(self, stores: Stores) -> None:
        assert stores.queue.rules() == Rules()
        executor = ExecutorCapacity(
            slots=8, cpu_millis=4000, memory_mib=8192, launches_per_second=2.5, launch_burst=5
        )
        stores.queue.register_capacity(executor)
        policy = TeamPolicy(weight=2.5, quota=3, may_borrow=False, concurrency=9, paused=True)
        settings = TeamSettings("demo", policy, paused_reason="release", changed_by="ada", changed_at=START)
        saved = stores.queue.save_team(settings)
        stores.queue.pause_run("run-1", until=START)
        stores.queue.pause_run("run-2", until=START)
        stores.queue.resume_run("run-2")

        assert saved == replace(settings, version=1)
        assert stores.queue.team("demo") == saved
        assert stores.queue.team("other") == TeamSettings("other")
        assert stores.queue.rules() == Rules(executor, {"demo": saved}, frozenset({"run-1"}))

    def test_the_second_of_two_who_change_a_team_loses(self, stores: Stores) -> None:
        first = stores.queue.save_team(TeamSettings("demo"))
        stores.queue.save_team(first)

        for stale in (first, TeamSettings("demo")):
            with pytest.raises(WriteConflictError):
                stores.queue.save_team(stale)

    def test_waiting_entries_are_counted_up_to_a_bound(self, stores: Stores) -> None:
        for number, priority in enumerate((Priority.P0, Priority.P1, Priority.P1, Priority.P2)):
            stores.work.save(None, make_work(number, priority=priority))

        assert stores.queue.waiting_count(at_most=10) == 4
        assert stores.queue.waiting_count(at_most=3) == 3
        assert stores.queue.waiting_count(at_most=0) == 0

    def test_the_executor_that_registered_last_counts(self, stores: Stores) -> None:
        stores.queue.register_slots(4)
        stores.queue.register_slots(2)

        assert stores.queue.rules().executor == ExecutorCapacity(slots=2)

    def test_a_term_leaves_the_account_and_the_armed_wake_up_to_the_next(self, stores: Stores) -> None:
        account = Account(
            at=START, shares={"demo": Share(used=1.5, penalty=30.0, slots=2)}, launch_tokens=0.25
        )
        armed = START + timedelta(seconds=42)
        first = stores.queue.lead("a", now=START, duration=TERM)
        assert first is not None
        assert (first.account, first.armed_for) == (None, None)

        assert stores.queue.resign(replace(first, account=account, armed_for=armed))
        second = stores.queue.lead("b", now=START, duration=TERM)
        assert second is not None
        assert (second.account, second.armed_for) == (account, armed)

        stores.queue.release(replace(second, account=None, armed_for=None))
        third = stores.queue.lead("c", now=START, duration=TERM)
        assert third is not None
        assert (third.account, third.armed_for) == (account, armed)

    def test_an_account_is_stored_with_an_admission(self, stores: Stores) -> None:
        term = stores.queue.lead("a", now=START, duration=TERM)
        assert term is not None
        pair = _admission(stores.work.save(None, make_work()))
        account = Account(at=START, shares={"demo": Share(penalty=1.0)})

        stores.work.admit_all([pair], fence=term.fence, account=account)

        stores.queue.release(term)
        second = stores.queue.lead("b", now=START, duration=TERM)
        assert second is not None
        assert second.account == account

    def test_a_released_term_makes_room_whatever_was_wanted(self, stores: Stores) -> None:
        term = stores.queue.lead("a", now=START, duration=TERM)
        assert term is not None
        stores.queue.want()

        stores.queue.release(term)

        assert stores.queue.lead("b", now=START, duration=TERM) is not None

    def test_an_old_scheduler_cannot_release_the_term_of_a_new_one(self, stores: Stores) -> None:
        old = stores.queue.lead("a", now=START, duration=TERM)
        assert old is not None
        assert stores.queue.lead("b", now=START + TERM, duration=TERM)

        stores.queue.release(old)

        assert stores.queue.lead("c", now=START + TERM, duration=TERM) is None

    def test_one_of_those_who_step_back_stands_by(self, stores: Stores) -> None:
        assert stores.queue.stand_by(now=START) is None  # nobody leads
        term = stores.queue.lead("a", now=START, duration=TERM)
        assert term is not None
        later = START + timedelta(seconds=5)

        assert stores.queue.stand_by(now=later) == timedelta(seconds=15)
        assert stores.queue.stand_by(now=later) is None

        stores.queue.release(term)
        assert stores.queue.lead("b", now=later, duration=TERM)
        assert stores.queue.stand_by(now=later) == TERM
        assert stores.queue.stand_by(now=later + TERM) is None  # that term is over

    def test_one_scheduler_at_a_time_and_each_with_a_higher_fence(self, stores: Stores) -> None:
        first = stores.queue.lead("a", now=START, duration=TERM)
        refused = stores.queue.lead("b", now=START + timedelta(seconds=19), duration=TERM)
        second = stores.queue.lead("b", now=START + TERM, duration=TERM)

        assert first is not None
        assert refused is None
        assert second is not None
        assert second.fence > first.fence

    def test_a_resigned_term_makes_room_at_once(self, stores: Stores) -> None:
        first = stores.queue.lead("a", now=START, duration=TERM)
        assert first is not None

        assert stores.queue.resign(first)

        second = stores.queue.lead("b", now=START, duration=TERM)
        assert second is not None
        assert second.fence > first.fence

    def test_wake_ups_are_counted(self, stores: Stores) -> None:
        assert stores.queue.wanted() == 0
        assert [stores.queue.want(), stores.queue.want()] == [1, 2]
        assert stores.queue.wanted() == 2

    def test_a_wake_up_during_a_term_keeps_it_from_ending(self, stores: Stores) -> None:
        stores.queue.want()
        term = stores.queue.lead("a", now=START, duration=TERM)
        assert term is not None
        assert term.wanted == 1
        stores.queue.want()

        assert not stores.queue.resign(term)
        assert stores.queue.lead("b", now=START, duration=TERM) is None

        assert stores.queue.resign(replace(term, wanted=stores.queue.wanted()))
        assert stores.queue.lead("b", now=START, duration=TERM) is not None

    def test_the_first_wake_up_during_a_term_keeps_it_from_ending(self, stores: Stores) -> None:
        term = stores.queue.lead("a", now=START, duration=TERM)
        assert term is not None
        assert term.wanted == 0
        stores.queue.want()

        assert not stores.queue.resign(term)

    def test_an_old_scheduler_cannot_end_the_term_of_a_new_one(self, stores: Stores) -> None:
        old = stores.queue.lead("a", now=START, duration=TERM)
        assert old is not None
        assert stores.queue.lead("b", now=START + TERM, duration=TERM)

        assert stores.queue.resign(old)

        assert stores.queue.lead("c", now=START + TERM, duration=TERM) is None


class _Memory:
    @pytest.fixture
    def stores(self) -> Stores:
        queue = MemoryQueueStore()
        return Stores(work=MemoryWorkStore(queue), queue=queue)


class _DynamoDb:
    @pytest.fixture
    def stores(self, tables: Tables) -> Stores:
        return Stores(
            work=DynamoWorkStore(
                dynamo=tables.dynamo,
                runs_table=tables.runs,
                queue_table=tables.queue,
                retention=timedelta(days=90),
            ),
            queue=DynamoQueueStore(dynamo=tables.dynamo, table=tables.queue, readers=1),
        )


class TestMemoryWorkStore(_Memory, WorkStoreContract):
    pass


class TestMemoryAdmission(_Memory, AdmissionContract):
    pass


class TestMemoryQueueStore(_Memory, QueueStoreContract):
    pass


class TestDynamoWorkStore(_DynamoDb, WorkStoreContract):
    pass


class TestDynamoAdmission(_DynamoDb, AdmissionContract):
    pass


class TestDynamoQueueStore(_DynamoDb, QueueStoreContract):
    pass


def _lead(stores: Stores) -> int:
    term = stores.queue.lead("scheduler", now=START, duration=TERM)
    assert term is not None
    return term.fence


def _admission(work: Work) -> tuple[Work, Work]:
    return work, replace(work, state=WorkState.ADMITTED, admitted_at=START)
