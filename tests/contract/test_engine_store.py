"""The engine's paths over DynamoDB, as over memory: what is stored is enough to go on with."""

from datetime import timedelta

import pytest

from crosswind.adapters.aws.chaos_run_store import DynamoExperimentRunStore
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, FaultState, RunState
from tests.fakes import SettableClock
from tests.stores.embedded import Tables
from tests.unit.chaos.engine.machine import Machine
from tests.unit.chaos.engine.stand_ins import RUN_ID
from tests.unit.chaos.engine.world import World, make_spec


@pytest.fixture
def world(tables: Tables) -> World:
    """Two steps of two faults each."""
    clock = SettableClock()
    store = DynamoExperimentRunStore(
        dynamo=tables.dynamo, table=tables.chaos, clock=clock, retention=timedelta(days=1)
    )
    return World(make_spec(faults=2, rungs=2), clock=clock, elsewhere=store)


def _begin(world: World) -> Machine:
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    machine.walk()
    assert len(world.provider.there) == 2
    return machine


def test_every_step_goes_in_and_out(world: World) -> None:
    machine = _begin(world)
    for _ in range(2):
        world.clock.advance(30)
        world.monitor.announce("step-over")
        machine.walk()
    world.monitor.end("completed")
    machine.walk()
    assert world.run.state is RunState.ANALYZED
    assert len(world.provider.ever) == 4
    assert world.provider.there == set()
    assert {each.state for each in world.kept.injections(RUN_ID)} == {FaultState.REMOVED}
    assert world.kept.holds([f"toxiproxy:slow-{number}-0" for number in range(2)]) == ()
    assert list(world.kept.unsent_events()) == []


def test_a_dead_engine_is_made_good_by_watch_and_reaper(world: World) -> None:
    _begin(world)
    world.monitor.announce("breach")
    for _ in range(6):
        world.clock.advance(15)
        world.watch(RUN_ID)
        world.reap_all()
    assert world.provider.there == set()
    assert world.run.state is RunState.ANALYZED
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.SLO
    assert world.run.verdict is ExperimentVerdict.ABORTED
