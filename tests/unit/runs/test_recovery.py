"""Watching, cancelling, sweeping and recovering over stores in memory."""

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import timedelta

import pytest

from crosswind.contracts.events import DomainEvent
from crosswind.contracts.requests import RunState
from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.errors import DependencyError, ForbiddenError, NotFoundError
from crosswind.runs import layout, lifecycle
from crosswind.runs.model import MAX_RECOVERIES, WorkState
from crosswind.runs.ports import ExecutionStatus
from crosswind.runs.usecases.recovery import RecoverRun, Recovery
from tests.fakes import MemoryEventBus, make_event
from tests.unit.runs.suites_samples import STRANGER, VIEWER
from tests.unit.runs.world import ADA, World


@pytest.fixture
def world() -> World:
    world = World()
    world.submit(shards=2, concurrency=2)
    return world


def run_id_of(world: World) -> str:
    return next(iter(world.tickets))


def test_a_turn_arms_the_next_one_and_a_second_chain_ends(world: World) -> None:
    run_id = run_id_of(world)
    world.bag.watches.clear()
    assert world.watch(run_id)
    assert not world.watch(run_id)
    assert world.bag.watches == [run_id]


def test_a_finished_run_is_watched_no_more_and_leaves_nothing_waiting(world: World) -> None:
    run_id = run_id_of(world)
    world.admit(world.admissions)
    world.finish_run(run_id)
    world.bag.watches.clear()
    world.watch(run_id)
    assert world.bag.watches == []
    assert {work.state for work in world.works.items.values()} == {WorkState.DONE}


def test_the_watchdog_of_a_run_that_is_gone_ends(world: World) -> None:
    assert not world.watch("run-00000000000000000000000099")


def test_a_run_out_of_time_ends_its_work_and_says_so(world: World) -> None:
    run_id = run_id_of(world)
    world.admit(world.admissions)
    world.clock.advance(3600)
    world.watch(run_id)
    run = world.runs.get(run_id)
    assert run.failure is not None
    assert run.failure.kind == "timeout"
    outcomes = {work.commit.outcome for work in world.works.items.values() if work.commit}
    assert outcomes == {WorkOutcome.ERROR}


def test_cancelling_ends_the_work_and_answers_its_tokens(world: World) -> None:
    run_id = run_id_of(world)
    world.admit(world.admissions)
    assert world.cancel(run_id, ADA).cancelled_by == "ada"
    assert {answer.outcome for answer in world.tokens.answers.values()} == {WorkOutcome.CANCELLED}
    assert len(world.tokens.answers) == 2
    world.step()
    assert world.runs.get(run_id).state is RunState.FINISHED


def test_only_those_who_may_cancel_a_run_do(world: World) -> None:
    run_id = run_id_of(world)
    for actor, refusal in ((STRANGER, NotFoundError), (VIEWER, ForbiddenError)):
        with pytest.raises(refusal):
            world.cancel(run_id, actor)
    assert world.runs.get(run_id).cancel_requested_at is None


def test_cancelling_twice_or_after_the_end_changes_nothing(world: World) -> None:
    run_id = run_id_of(world)
    first = world.cancel(run_id, ADA)
    assert world.cancel(run_id, ADA) == first
    world.finish_run(run_id)
    assert world.cancel(run_id, ADA).state is RunState.FINISHED


def test_a_stopped_execution_is_followed_by_a_recovery_that_takes_the_work_over(world: World) -> None:
    run_id = run_id_of(world)
    world.admit(world.admissions)
    world.stop(run_id, cause="behind our back")
    assert world.recover(run_id) is Recovery.STARTED
    assert world.runs.get(run_id).execution == f"{run_id}-r1"
    assert world.recover(run_id) is Recovery.NOTHING


def test_an_execution_that_was_recorded_and_never_started_is_started(world: World) -> None:
    run_id = run_id_of(world)
    world.stop(run_id, cause="x")
    run = world.runs.get(run_id)
    world.runs.save(replace(run, execution=f"{run_id}-r1", recoveries=1))
    assert world.recover(run_id) is Recovery.STARTED
    assert world.status(f"{run_id}-r1") is ExecutionStatus.RUNNING
    assert world.runs.get(run_id).recoveries == 1


def test_after_too_many_recoveries_the_run_is_closed_and_says_why(world: World) -> None:
    run_id = run_id_of(world)
    for _ in range(MAX_RECOVERIES):
        world.stop(lifecycle.current_execution(world.runs.get(run_id)), cause="x")
        assert world.recover(run_id) is Recovery.STARTED
    world.stop(lifecycle.current_execution(world.runs.get(run_id)), cause="x")
    assert world.recover(run_id) is Recovery.CLOSED
    run = world.runs.get(run_id)
    assert run.state is RunState.FINISHED
    assert run.failure is not None
    assert "recoveries" in run.failure.detail


def test_a_run_without_its_execution_input_is_closed(world: World) -> None:
    run_id = run_id_of(world)
    del world.objects.objects[layout.execution_input_key(run_id)]
    world.stop(run_id, cause="x")
    assert world.recover(run_id) is Recovery.CLOSED


def test_a_still_run_has_its_execution_looked_at_by_the_watchdog(world: World) -> None:
    run_id = run_id_of(world)
    world.stop(run_id, cause="x")
    world.clock.advance(60)
    world.watch(run_id)
    assert world.runs.get(run_id).recoveries == 1


def test_a_cancelled_run_whose_execution_hangs_is_closed_after_the_grace(world: World) -> None:
    run_id = run_id_of(world)
    world.admissions.clear()
    world.cancel(run_id, ADA)
    world.clock.advance(lifecycle.GRACE)
    world.watch(run_id)
    assert world.runs.get(run_id).state is RunState.FINISHED
    assert world.status(run_id) is ExecutionStatus.ENDED


def test_the_sweep_rearms_a_lost_watchdog_and_recovers(world: World) -> None:
    run_id = run_id_of(world)
    world.bag.watches.clear()
    world.stop(run_id, cause="x")
    world.clock.advance(timedelta(minutes=1))
    swept = world.sweep()
    assert (swept.rearmed, swept.recovered) == (1, 1)
    assert world.bag.watches == [run_id]


def test_a_recovery_that_takes_all_of_a_sweeps_time_holds_up_no_events(world: World) -> None:
    class KilledError(BaseException):
        """The worker is killed: nothing after it runs."""

    class Deadly(RecoverRun):
        def __call__(self, run_id: str) -> Recovery:
            raise KilledError

    deadly = Deadly(**{each.name: getattr(world.recover, each.name) for each in fields(RecoverRun)})
    world.runs.outbox[make_event().id] = make_event()
    with pytest.raises(KilledError):
        replace(world.sweep, recover=deadly)()
    assert not world.runs.outbox


def test_a_broken_event_bus_keeps_no_run_from_being_recovered(world: World) -> None:
    class Broken(MemoryEventBus):
        def publish(self, events: Iterable[DomainEvent]) -> None:
            raise DependencyError("events did not take it")

    world.runs.outbox[make_event().id] = make_event()
    world.stop(run_id_of(world), cause="x")
    swept = replace(world.sweep, bus=Broken())()
    assert (swept.sent, swept.recovered) == (0, 1)
    assert world.runs.outbox


def test_the_sweep_sends_what_is_left_in_the_outbox(world: World) -> None:
    event = make_event()
    world.runs.outbox[event.id] = event
    assert world.sweep().sent == 1
    assert world.runs.outbox == {}


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("run-00000000000000000000000001", "run-00000000000000000000000001"),
        ("run-00000000000000000000000001-r2", "run-00000000000000000000000001"),
        ("0b6f9c7e-0000-4000-8000-000000000000", None),
    ],
)
def test_the_run_is_read_from_its_executions_name(name: str, run_id: str | None) -> None:
    assert lifecycle.run_of_execution(name) == run_id
