"""Enqueueing and scheduling over stores in memory."""

from datetime import timedelta

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import AdmissionMessage
from crosswind.runs.model import WorkState
from crosswind.runs.ports import QueueEntry
from crosswind.runs.usecases.scheduling import TERM, Admission, admission_of
from tests.fakes import START, make_run, make_ticket, make_work
from tests.unit.runs.world import ADA, World


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
    world.queue._slots = None
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
        world.works.save(None, make_work(2, priority=Priority.P0))
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
    world.queue.waiting[work.key] = QueueEntry(
        key=work.key,
        team=work.team,
        suite=work.suite,
        priority=work.priority,
        concurrency=1,
        enqueued_at=START,
    )
    assert world.schedule() == 0


def test_a_message_without_ticket_is_a_mere_wake_up() -> None:
    assert admission_of(AdmissionMessage(wake=True), START) is None
    assert admission_of(AdmissionMessage(ticket=make_ticket(), token="t"), START) is not None
