"""Enqueueing and scheduling over stores in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import AdmissionMessage, WorkAnswer, WorkOutcome
from crosswind.kernel.errors import DependencyError, ThrottledError
from crosswind.runs.admission.model import QueueEntry
from crosswind.runs.admission.ports import ExecutorCapacity
from crosswind.runs.effects import AnswerToken, WakeScheduler
from crosswind.runs.model import Run, Work, WorkKey, WorkState
from crosswind.runs.usecases.changing import PerformEffects
from crosswind.runs.usecases.scheduling import SAMPLE_EVERY, TERM, TRY_AGAIN_AFTER, Admission, admission_of
from tests.fakes import (
    START,
    MemoryQueues,
    MemoryTaskTokens,
    make_run,
    make_ticket,
    make_work,
)
from tests.fakes.work import entry_of
from tests.unit.runs.busy_stores import CrashError
from tests.unit.runs.scheduling_world import tickets, world_with
from tests.unit.runs.world import ADA, World


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


def test_what_storing_tickets_takes_is_not_spent_again_on_looking_at_the_queue() -> None:
    world = world_with()
    world.queue.register_capacity(ExecutorCapacity(slots=100, launches_per_second=1.0))
    kept = world.works.get

    def slow(key: WorkKey) -> Work | None:
        world.clock.advance(2.0)
        return kept(key)

    world.works.get = slow  # type: ignore[method-assign]  # tables that are busy
    began = world.clock.now()
    world.admit(tickets(9))
    assert world.clock.now() - began == timedelta(
        seconds=18
    )  # a read for each ticket, and nothing after them
    assert len(world.bag.dispatched) == 1
    assert world.bag.wakes  # another invocation goes on


def test_one_ticket_that_cannot_be_stored_keeps_none_of_the_others_and_runs_are_read_once_for_all() -> None:
    world = world_with()
    reads: list[str] = []
    kept_run, kept_work = world.runs.get, world.works.get

    def counted(run_id: str) -> Run:
        reads.append(run_id)
        return kept_run(run_id)

    def failing(key: WorkKey) -> Work | None:
        if key.work_id.endswith("3"):
            raise DependencyError("away")
        return kept_work(key)

    world.runs.get = counted  # type: ignore[method-assign]
    world.works.get = failing  # type: ignore[method-assign]
    enqueue = replace(world.admit.enqueue, side_by_side=4)

    stored = enqueue(tickets(6))

    assert stored.count(False) == 1
    assert len(reads) == 2


def test_where_nothing_waits_what_is_at_work_is_only_sampled() -> None:
    world = world_with(slots=3)
    world.admit(tickets(3))
    world.schedule()
    reads: list[None] = []
    kept = world.queue.active

    def counted(*, run_id: str | None = None) -> tuple[QueueEntry, ...]:
        reads.append(None)
        return kept(run_id=run_id)

    world.queue.active = counted  # type: ignore[method-assign]
    for _ in range(3):
        world.schedule()
    assert not reads

    world.clock.advance(SAMPLE_EVERY.total_seconds())
    world.schedule()
    assert len(reads) == 1
