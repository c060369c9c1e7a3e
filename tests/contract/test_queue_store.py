"""QueueStore: the lists follow the work items, in the fake and in DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.suites import Priority
from crosswind.kernel.errors import WriteConflictError
from crosswind.runs.admission.model import Account, Reason, Share, TeamPolicy
from crosswind.runs.admission.ports import (
    ExecutorCapacity,
    Rules,
    TeamSettings,
    Waiting,
)
from crosswind.runs.model import (
    Lease,
    Progress,
    WorkState,
    WorkTally,
)
from tests.contract.queue_rig import TERM, InDynamoDb, InMemory, Stores, admission_of
from tests.fakes import START, make_entry, make_work


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

    def test_an_account_is_stored_with_anadmission_of(self, stores: Stores) -> None:
        term = stores.queue.lead("a", now=START, duration=TERM)
        assert term is not None
        pair = admission_of(stores.work.save(None, make_work()))
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


class TestMemoryQueueStore(InMemory, QueueStoreContract):
    """The fake."""


class TestDynamoQueueStore(InDynamoDb, QueueStoreContract):
    """DynamoDB, as moto has it."""
