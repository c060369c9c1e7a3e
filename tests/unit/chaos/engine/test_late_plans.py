"""An abort that is quicker than the preflight check: what the check would write afterwards keeps no target from anybody."""

from collections.abc import Callable

import pytest

from crosswind.chaos.model import Injection
from crosswind.contracts.chaos.lifecycle import AbortCause, FaultState, RunState
from crosswind.kernel.errors import WriteConflictError
from tests.unit.chaos.engine.machine import Killed, Machine
from tests.unit.chaos.engine.stand_ins import RUN_ID
from tests.unit.chaos.engine.world import World


def _abort_and_reap(world: World) -> None:
    world.record_abort(RUN_ID, cause=AbortCause.ACTOR, reason="enough", by="ada")
    world.clock.advance(25)
    world.reap(RUN_ID)
    assert world.run.state is RunState.ANALYZED


def _before(owner: object, name: str, act: Callable[[], None]) -> None:
    """Let something happen in the Lambda, right before the first of such calls."""
    call = getattr(owner, name)

    def called(*values: object, **named: object) -> object:
        setattr(owner, name, call)
        act()
        return call(*values, **named)

    setattr(owner, name, called)


def _die() -> None:
    raise Killed


def test_a_run_that_is_ended_while_its_check_asks_the_providers_plans_nothing() -> None:
    world = World()
    _before(world.provider, "preview", lambda: _abort_and_reap(world))
    world.preflight(RUN_ID)
    assert (world.store.planned, world.store.held) == ({}, {})


def test_a_run_that_is_ended_right_before_its_plan_is_written_keeps_no_target() -> None:
    world = World()
    _before(world.store, "plan_injections", lambda: _abort_and_reap(world))
    _before(world.dead_man, "arm", _die)
    with pytest.raises(WriteConflictError):
        world.preflight(RUN_ID)
    assert (world.store.planned, world.store.held) == ({}, {})
    Machine(world).walk()
    assert world.run.state is RunState.ANALYZED
    assert world.provider.ever == set()


def test_a_lambda_that_dies_right_after_its_plan_is_written_is_tidied_up_after() -> None:
    world = World()
    _before(world.dead_man, "arm", _die)
    with pytest.raises(Killed):
        world.preflight(RUN_ID)
    held = list(world.store.held)
    assert held
    _abort_and_reap(world)
    assert world.store.held == {}
    assert [each.state for each in world.store.injections(RUN_ID)] == [FaultState.REFUSED]


def test_a_worker_that_slept_between_its_record_and_its_call_asks_no_provider() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    save = world.store.save_injection

    def save_and_sleep(injection: Injection) -> Injection:
        saved = save(injection)
        if saved.state is FaultState.INJECTING:
            world.clock.advance(40)  # longer than a provider's answer may take
        return saved

    world.store.save_injection = save_and_sleep  # type: ignore[method-assign]  # the worker stands still here
    machine.walk()
    assert world.provider.ever == set()
    assert world.run.abort is not None
