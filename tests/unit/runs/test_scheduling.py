"""Enqueueing and scheduling over stores in memory."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import AdmissionMessage, WorkAnswer, WorkOutcome
from crosswind.kernel.errors import DependencyError, LeaseLostError, ThrottledError
from crosswind.runs.admission.lanes import Lanes
from crosswind.runs.admission.model import Reason, TeamPolicy
from crosswind.runs.admission.ports import ExecutorCapacity, Heads, TeamSettings
from crosswind.runs.effects import AnswerToken, WakeScheduler
from crosswind.runs.model import Work, WorkState
from crosswind.runs.usecases.changing import PerformEffects
from crosswind.runs.usecases.scheduling import TERM, TRY_AGAIN_AFTER, Admission, admission_of
from tests.fakes import (
    START,
    MemoryQueues,
    MemoryQueueStore,
    MemoryTaskTokens,
    MemoryWorkStore,
    make_run,
    make_ticket,
    make_work,
)
from tests.fakes.work import entry_of
from tests.unit.runs.world import ADA, CrashError, World


def world_with(*, slots: int = 10) -> World:
    world = World()
    world.queue.register_slots(slots)
    world.runs.create(make_run(1), idempotency=None)
    world.runs.create(make_run(2), idempotency=None)
    return world


def tickets(count: int, *, run: int = 1, concurrency: int = 100) -> list[Admission]:
    made = (make_ticket(index, run=run, concurrency=concurrency) for index in range(count))
    return [Admission(ticket, f"token-{run}-{ticket.work_id}", START) for ticket in made]


def test_tickets_are_stored_and_as_many_dispatched_as_there_are_slots() -> None:
    world = world_with(slots=3)
    assert world.admit(tickets(5)) == []
    assert len(world.bag.dispatched) == 3
    assert len(world.queue.waiting) == 2


def test_a_long_line_of_one_limited_run_does_not_hide_the_next_run() -> None:
    world = world_with()
    for work in (make_work(index, concurrency=1) for index in range(450)):
        world.works.save(None, work)
    world.works.save(None, make_work(0, run=2, enqueued_at=START + timedelta(seconds=1)))
    world.schedule()
    assert [message.run_id[-1] for message in world.bag.dispatched] == ["1", "2"]


def test_without_a_registered_executor_the_default_capacity_holds() -> None:
    world = world_with()
    world.queue.executor = None
    world.admit(tickets(3))
    assert len(world.bag.dispatched) == 1  # World's default_slots


def test_a_second_scheduler_steps_back_and_the_first_looks_again() -> None:
    world = world_with(slots=5)
    other = tickets(2, run=2)

    def somebody_else() -> None:
        world.admit(other)

    world.admit(tickets(1)[:0])
    world.works.save(None, make_work(7))
    world.works.meanwhile = somebody_else
    world.schedule()
    assert len(world.bag.dispatched) == 3
    assert not world.queue.waiting


def test_a_dead_leaders_term_ends_and_another_one_begins() -> None:
    world = world_with()
    world.works.save(None, make_work(1))
    assert world.queue.lead("dead", now=world.clock.now(), duration=TERM) is not None
    assert world.schedule() == 0
    world.clock.advance(TERM)
    assert world.schedule() == 1


def test_a_leader_that_slept_through_its_term_books_no_slot_twice() -> None:
    world = world_with(slots=1)
    world.works.save(None, make_work(1))

    def the_next_leader() -> None:
        world.clock.advance(TERM)
        world.works.save(None, make_work(2, run=2, priority=Priority.P0))
        world.schedule()

    world.works.meanwhile = the_next_leader
    assert world.schedule() == 0
    assert [message.work_id for message in world.bag.dispatched] == ["shard-00002"]


def test_a_ticket_of_an_unknown_run_is_delivered_again_and_does_not_stop_the_others() -> None:
    world = world_with()
    strange = Admission(make_ticket(0, run=9), "token", START)
    assert world.admit([strange, *tickets(1)]) == [0]
    assert len(world.bag.dispatched) == 1


def test_a_ticket_that_meets_a_cancel_on_its_way_is_cancelled() -> None:
    world = world_with()
    (message,) = tickets(1)
    world.works.meanwhile = lambda: world.cancel(message.ticket.run_id, ADA)
    world.admit([message])
    (work,) = world.works.items.values()
    assert work.state is WorkState.DONE
    assert message.token in world.tokens.answers


def test_an_entry_whose_work_has_moved_on_is_passed_over() -> None:
    world = world_with()
    work = make_work(1, state=WorkState.DONE)
    world.queue.waiting[work.key] = entry_of(work)
    world.queue.line_up(work)
    assert world.schedule() == 0


def test_a_message_without_ticket_is_a_mere_wake_up() -> None:
    assert admission_of(AdmissionMessage(wake=True), START) is None
    assert admission_of(AdmissionMessage(ticket=make_ticket(), token="t"), START) is not None


class TestNoWakeUpIsLost:
    """Waiting work once stood beside free slots until the watchdog's next turn, up to 15 s later. Each way in which
    that happened is told here."""

    def test_a_leader_that_fails_ends_its_term_and_asks_for_another(self) -> None:
        """It used to hold its term for the rest of 20 s, and SQS its messages for minutes."""
        world = world_with()
        world.works.save(None, make_work(1))

        def throttle() -> None:
            raise ThrottledError("slow down")

        world.works.meanwhile = throttle
        assert world.schedule() == 0
        assert world.bag.later == [TRY_AGAIN_AFTER]
        assert world.schedule() == 1  # at once: nobody waits for the end of the term

    def test_a_fault_that_nobody_foresaw_ends_the_term_and_is_not_hidden(self) -> None:
        world = world_with()
        world.works.save(None, make_work(1))

        def break_down() -> None:
            raise ZeroDivisionError

        world.works.meanwhile = break_down
        with pytest.raises(ZeroDivisionError):
            world.schedule()
        assert world.schedule() == 1

    def test_a_leader_that_dies_is_noticed_by_one_that_stepped_back(self) -> None:
        """Its wake-ups died with it, and those who had stepped back had nothing more to do."""
        world = world_with()
        world.works.save(None, make_work(1))
        world.queue.lead("dead", now=world.clock.now(), duration=TERM)
        world.clock.advance(5)

        assert [world.schedule(), world.schedule()] == [0, 0]
        assert world.bag.later == [TERM - timedelta(seconds=5)]  # one message, however many step back
        world.clock.advance(world.bag.later[0])
        assert world.schedule() == 1

    def test_the_end_of_a_backoff_wakes_the_scheduler(self) -> None:
        """A lost attempt woke it when it was lost, which was too early, and nothing did when its pause was over."""
        world = world_with()
        pause = timedelta(seconds=8)
        world.works.save(None, make_work(1, attempt=2, not_before=START + pause))

        assert world.schedule() == 0
        assert world.bag.later == [pause]
        world.schedule()
        assert world.bag.later == [pause]  # it is on its way already
        world.clock.advance(pause)
        assert world.schedule() == 1

    def test_a_backoff_that_ends_within_a_second_is_waited_for(self) -> None:
        world = world_with()
        world.works.save(None, make_work(1, attempt=2, not_before=START + timedelta(seconds=0.4)))

        assert world.schedule() == 1
        assert world.bag.later == []

    def test_work_that_was_chosen_in_vain_is_looked_at_again(self) -> None:
        """A round whose every choice lost to another writer looked like one that found nothing to do."""
        world = world_with(slots=1)
        work = world.works.save(None, make_work(1))

        def a_new_token() -> None:
            world.works.save(work, replace(work, token="newer"))

        world.works.meanwhile = a_new_token
        assert world.schedule() == 0
        assert world.bag.later == [TRY_AGAIN_AFTER]
        assert world.schedule() == 1

    def test_one_that_cannot_be_admitted_leaves_its_place_to_the_next(self) -> None:
        world = world_with(slots=1)
        orphan = make_work(1, estimate_seconds=9.0)
        world.queue.waiting[orphan.key] = entry_of(orphan)  # a line without its work item
        world.queue.line_up(orphan)
        world.works.save(None, make_work(2))

        assert world.schedule() == 1
        assert [message.work_id for message in world.bag.dispatched] == ["shard-00002"]

    def test_a_token_that_cannot_be_answered_keeps_no_slot_idle(self) -> None:
        """The scheduler was woken after the token was answered: where that failed, it was not woken at all."""
        bag = MemoryQueues()
        answer = AnswerToken(
            "token",
            WorkAnswer(
                run_id=make_run().run_id,
                work_id="shard-00000",
                outcome=WorkOutcome.COMPLETED,
                attempt=1,
                epoch=1,
            ),
        )

        class Unreachable(MemoryTaskTokens):
            def answer(self, token: str, answer: WorkAnswer) -> bool:
                raise DependencyError("no answer")

        with pytest.raises(DependencyError):
            PerformEffects(bag, Unreachable())([answer, WakeScheduler()])
        assert bag.wakes == 1

    def test_a_repeated_commit_wakes_the_scheduler_again(self) -> None:
        world = world_with(slots=1)
        world.admit(tickets(1))
        work = world.take(world.bag.dispatched[0])
        assert work is not None
        world.crash = True
        with pytest.raises(CrashError):
            world.finish_work(work)
        assert world.bag.wakes == 0

        world.finish_work(work)

        assert world.bag.wakes == 1

    def test_an_enqueue_that_died_between_its_two_writes_is_found_by_the_watchdog(self) -> None:
        world = World()
        run_id = world.submit(shards=1, concurrency=1)
        world.works.save(None, make_work(0))
        world.queue.lines.clear()
        assert world.schedule() == 0

        world.clock.advance(15)
        world.watch(run_id)

        assert world.bag.wakes == 1
        assert world.schedule() == 1


class TestLanes:
    def test_a_lane_that_was_emptied_is_closed_and_opened_by_the_next_entry(self) -> None:
        world = world_with()
        world.works.save(None, make_work(1))
        world.schedule()
        assert world.queue.lines == {}

        world.works.save(None, make_work(2))
        assert world.schedule() == 1

    def test_an_entry_that_joins_while_its_lane_is_being_closed_is_not_lost(self) -> None:
        """Between the look that found the lane empty and its closing."""
        queue = MemoryQueueStore()
        works = MemoryWorkStore(queue)
        first = works.save(None, make_work(1))
        works.save(first, replace(first, state=WorkState.ADMITTED))
        lines = queue.lanes()
        heads = queue.heads

        def heads_and_then_somebody_joins(limits: Mapping[str, int]) -> Mapping[str, Heads]:
            found = heads(limits)
            works.save(None, make_work(2))
            return found

        queue.heads = heads_and_then_somebody_joins  # type: ignore[method-assign]  # a race, made certain
        lanes = Lanes(queue)
        lanes.refresh(lines)
        queue.heads = heads  # type: ignore[method-assign]

        lanes.refresh(queue.lanes())
        (lane,) = lanes.queue(paused=()).lanes
        assert [entry.key.work_id for entry in lane.entries] == ["shard-00002"]

    def test_a_lane_is_read_again_only_when_an_entry_has_joined(self) -> None:
        queue = CountingQueueStore()
        works = MemoryWorkStore(queue)
        for number in range(5):
            works.save(None, make_work(number))
        lanes = Lanes(queue)
        for _ in range(3):
            lanes.refresh(queue.lanes())
        assert queue.read == 1

        works.save(None, make_work(9))
        lanes.refresh(queue.lanes())
        assert queue.read == 2

    def test_a_run_gets_all_that_is_its_turn_before_a_younger_one(self) -> None:
        """Also where more than a first look lists is its turn."""
        world = world_with(slots=30)
        for number in range(40):
            world.works.save(None, make_work(number))
        for number in range(40):
            world.works.save(None, make_work(number, run=2, enqueued_at=START + timedelta(seconds=1)))
        world.schedule()
        assert {message.run_id[-1] for message in world.bag.dispatched} == {"1"}
        assert len(world.bag.dispatched) == 30

    def test_why_a_run_waits_is_kept_and_written_only_when_it_changes(self) -> None:
        world = world_with(slots=1)
        world.admit(tickets(2))
        (line,) = world.queue.lanes()
        assert line.waiting is not None
        assert line.waiting.reason is Reason.NO_SLOT

        world.clock.advance(60)
        world.schedule()

        assert world.queue.lanes() == (line,)

    def test_an_admission_says_why(self) -> None:
        world = world_with()
        world.admit(tickets(1))
        (work,) = world.works.items.values()
        assert work.decision


class TestPreemption:
    def test_borrowed_work_gives_its_slot_to_p0_and_waits_again(self) -> None:
        world, borrower = self.borrowed()
        urgent = make_work(0, run=2, team="urgent", priority=Priority.P0)
        world.works.save(None, urgent)

        assert world.schedule() == 1

        stored = world.works.items[urgent.key]
        assert stored.state is WorkState.ADMITTED
        (victim,) = (work for work in world.works.items.values() if work.preemptions)
        assert (victim.state, victim.attempt, victim.failures) == (WorkState.WAITING, 1, ())
        assert victim.epoch == borrower.epoch + 1
        with pytest.raises(LeaseLostError):
            world.finish_work(borrower)

    def test_preempted_work_runs_again_when_there_is_room(self) -> None:
        world, _ = self.borrowed()
        world.works.save(None, make_work(0, run=2, team="urgent", priority=Priority.P0))
        world.schedule()
        (victim,) = (work for work in world.works.items.values() if work.preemptions)
        for message in world.bag.dispatched[2:]:
            work = world.take(message)
            assert work is not None
            world.finish_work(work)

        world.clock.advance(1)
        world.schedule()

        again = world.take(world.bag.dispatched[-1])
        assert again is not None
        assert again.key == victim.key
        world.finish_work(again)
        assert world.works.items[victim.key].state is WorkState.DONE

    @staticmethod
    def borrowed() -> tuple[World, Work]:
        """Two slots, both of a team that has a quota of one; the newer one is borrowed, and on a runner."""
        world = world_with(slots=2)
        world.queue.save_team(TeamSettings("demo", TeamPolicy(quota=1)))
        world.queue.save_team(TeamSettings("urgent", TeamPolicy(quota=1)))
        for number in range(2):
            world.works.save(None, make_work(number, priority=Priority.P2))
        world.schedule()
        works = [world.take(message) for message in world.bag.dispatched]
        (borrower,) = (work for work in works if work is not None and work.borrowed)
        return world, borrower


class TestPacing:
    def test_launches_come_no_faster_than_the_executor_takes_them(self) -> None:
        world = world_with()
        world.queue.register_capacity(ExecutorCapacity(slots=100, launches_per_second=20, launch_burst=10))
        began = world.clock.now()
        assert world.admit(tickets(50)) == []
        assert len(world.bag.dispatched) == 50
        assert world.clock.now() - began >= timedelta(seconds=2)

    def test_a_sitting_ends_in_order_and_another_goes_on(self) -> None:
        world = world_with()
        world.queue.register_capacity(ExecutorCapacity(slots=100, launches_per_second=2, launch_burst=1))
        world.admit(tickets(50))
        first = len(world.bag.dispatched)
        assert 10 <= first < 50
        assert world.bag.wakes == 1

        world.schedule()

        assert len(world.bag.dispatched) > first


class TestAdmitWork:
    def test_an_unforeseen_fault_of_one_ticket_is_that_tickets_own(self) -> None:
        world = world_with()
        bad = tickets(3)[1]

        def break_down() -> None:
            raise ZeroDivisionError

        world.works.meanwhile = break_down
        assert world.admit([bad, *tickets(1)]) == []  # it is tried again after the round
        assert len(world.bag.dispatched) == 2


class CountingQueueStore(MemoryQueueStore):
    """Counts the lanes that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def heads(self, limits: Mapping[str, int]) -> Mapping[str, Heads]:
        self.read += len(limits)
        return super().heads(limits)
