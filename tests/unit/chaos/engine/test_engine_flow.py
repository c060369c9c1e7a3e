"""The engine's paths, one by one: what is injected, what is undone, where the run ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.chaos.model import Halt
from crosswind.contracts.chaos.gate import GateOutcome
from crosswind.contracts.chaos.lifecycle import (
    AbortCause,
    ExperimentVerdict,
    FaultState,
    RevisionState,
    RunState,
)
from crosswind.contracts.chaos.probes import Phase
from tests.fakes import START
from tests.fakes.chaos import make_experiment
from tests.unit.chaos.engine.machine import Machine
from tests.unit.chaos.engine.provider import Mood
from tests.unit.chaos.engine.stand_ins import RUN_ID
from tests.unit.chaos.engine.world import World, make_revision, make_spec


def _live(world: World) -> Machine:
    """An execution whose first step is in and watched."""
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    machine.walk()
    assert _state(world) is RunState.MONITORING
    return machine


def _state(world: World) -> RunState:
    """Read anew each time."""
    return world.run.state


def _finish(world: World, machine: Machine) -> None:
    machine.walk()
    world.monitor.end("completed")
    machine.walk()


def test_an_experiment_goes_from_preflight_to_its_analysis() -> None:
    world = World(make_spec(faults=2, rungs=2))
    machine = _live(world)
    assert world.provider.there == {f"chaos-{RUN_ID}-1-slow-0", f"chaos-{RUN_ID}-1-slow-1"}
    assert (world.phase.phase, world.phase.step) == (Phase.DURING, 1)
    assert world.phase.until is not None
    world.clock.advance(30)
    world.monitor.announce("step-over")
    machine.walk()
    assert world.provider.there == {f"chaos-{RUN_ID}-2-slow-0", f"chaos-{RUN_ID}-2-slow-1"}
    world.clock.advance(30)
    world.monitor.announce("step-over")
    machine.walk()
    assert world.provider.there == set()
    assert (world.run.state, world.phase.phase) == (RunState.RECOVERY, Phase.AFTER)
    assert world.phase.undone_at is not None
    _finish(world, machine)
    assert machine.name is None
    assert _state(world) is RunState.ANALYZED
    assert world.dead_man.armed is None
    assert world.store.held == {}
    assert not world.store.outbox
    assert f"chaos/{RUN_ID}/report/report.json" in world.objects.objects


def test_everything_that_undoes_is_stored_before_the_first_fault_goes_in() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    assert [each.state for each in world.store.planned.values()] == [FaultState.PLANNED]
    assert all(each.compensation for each in world.store.planned.values())
    assert world.dead_man.armed == START + timedelta(minutes=10)
    assert world.store.held
    assert world.provider.ever == set()


def test_nothing_goes_in_before_the_monitor_is_live() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("unsteady")
    _finish(world, machine)
    assert world.provider.ever == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.STEADY_STATE
    assert world.run.verdict is ExperimentVerdict.INCONCLUSIVE


def test_nothing_goes_in_when_the_monitor_ended_right_after_it_was_live() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    machine.step()
    world.monitor.end("error", "lease_lost")
    machine.walk()
    assert world.provider.ever == set()
    assert world.run.verdict is ExperimentVerdict.NOT_INJECTED


def test_nothing_goes_in_when_the_monitors_lease_has_lapsed_and_nobody_saw_it_yet() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    world.clock.advance(30)
    machine.walk()
    assert world.provider.ever == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.MONITOR_SILENT


def test_a_monitor_that_nobody_took_ends_the_run_without_a_fault() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.end("error", "queue_timeout")
    machine.walk()
    assert world.provider.ever == set()
    assert _state(world) is RunState.ANALYZED
    assert world.run.verdict is ExperimentVerdict.NOT_INJECTED


def test_a_breach_undoes_everything_and_is_told() -> None:
    world = World(make_spec(faults=2, rungs=2))
    machine = _live(world)
    world.monitor.announce("breach")
    machine.walk()
    assert world.provider.there == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.SLO
    _finish(world, machine)
    assert world.run.verdict is ExperimentVerdict.ABORTED
    assert [each.state for each in world.store.planned.values()].count(FaultState.REFUSED) == 2
    assert "aborted" in {occasion for occasion, _, _ in world.notifier.told}


def test_a_breach_while_a_step_is_undone_keeps_the_next_one_out() -> None:
    world = World(make_spec(rungs=2))
    machine = _live(world)
    world.clock.advance(30)
    world.monitor.announce("step-over")
    world.monitor.announce("breach")
    machine.walk()
    assert world.provider.ever == {f"chaos-{RUN_ID}-1-slow-0"}
    assert world.provider.there == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.SLO


def test_a_gate_that_postpones_blocks_the_run_and_its_time_brings_it_back() -> None:
    world = World()
    world.gate.outcome = GateOutcome.POSTPONE
    machine = Machine(world)
    machine.walk()
    assert machine.name is None
    assert _state(world) is RunState.BLOCKED
    assert world.dead_man.wakes == [START + timedelta(minutes=5)]
    world.watch(RUN_ID)
    assert _state(world) is RunState.BLOCKED
    world.gate.outcome = GateOutcome.PROCEED
    world.clock.advance(timedelta(minutes=5))
    world.watch(RUN_ID)
    assert (world.run.state, world.run.attempt) == (RunState.SCHEDULED, 2)
    assert world.engine.started == [f"{RUN_ID}-p2"]
    _live(world)


def test_a_gate_that_says_no_keeps_every_fault_out() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.gate.outcome = GateOutcome.ABORT
    world.monitor.lease()
    world.monitor.announce("live")
    machine.walk()
    assert world.provider.ever == set()
    assert _state(world) is RunState.ANALYZED


def test_an_edit_or_a_deletion_voids_what_was_approved_for_runs_that_go_on() -> None:
    world = World(make_spec(rungs=2))
    place = ("demo", "slow-payments")
    defined = make_experiment(revision=make_revision(world.spec), name="slow-payments")
    world.experiments.experiments[place] = defined
    _live(world)
    assert [each.superseded for each in world.gate.asked] == ["", ""]
    edited = replace(defined, revision=replace(defined.revision, number=2, state=RevisionState.DRAFT))
    world.experiments.experiments[place] = edited
    world.clock.advance(31)
    world.monitor.beat()
    world.watch(RUN_ID)
    assert "revision 2 replaced revision 1" in world.gate.asked[-1].superseded
    del world.experiments.experiments[place]
    world.clock.advance(31)
    world.monitor.beat()
    world.watch(RUN_ID)
    assert "was deleted" in world.gate.asked[-1].superseded


def test_a_provider_that_cannot_be_asked_postpones() -> None:
    world = World()
    world.provider.down = True
    machine = Machine(world)
    machine.walk()
    assert _state(world) is RunState.BLOCKED


@pytest.mark.parametrize("mood", [Mood.LOST, Mood.LATE, Mood.THROTTLED, Mood.REFUSED, Mood.BROKEN])
def test_whatever_a_provider_does_when_it_injects_nothing_is_left(mood: Mood) -> None:
    world = World(make_spec(faults=2))
    world.provider.moods = {"inject": [mood] * 4, "status": [Mood.THROTTLED] * 4}
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    for _ in range(60):
        machine.walk()
        world.clock.advance(10)
        world.monitor.beat()
        if world.run.state is RunState.RECOVERY:
            world.monitor.end("completed")
    world.provider.land()
    assert world.provider.there == set()
    assert _state(world) is RunState.ANALYZED


def test_an_answer_that_was_lost_is_asked_for() -> None:
    world = World()
    world.provider.moods = {"inject": [Mood.LOST]}
    _live(world)
    assert [each.state for each in world.store.planned.values()] == [FaultState.ACTIVE]


def test_an_abort_by_hand_undoes_at_once() -> None:
    world = World()
    machine = _live(world)
    world.record_abort(RUN_ID, cause=AbortCause.ACTOR, reason="enough", by="ada")
    machine.walk()
    assert world.provider.there == set()
    assert _state(world) is RunState.ANALYZED
    assert world.run.verdict is ExperimentVerdict.ABORTED


def test_an_abort_before_anything_began_ends_without_an_execution() -> None:
    world = World()
    world.record_abort(RUN_ID, cause=AbortCause.ACTOR, reason="never mind", by="ada")
    assert world.close_unstarted(RUN_ID).state is RunState.ANALYZED
    machine = Machine(world)
    machine.walk()
    assert world.provider.ever == set()


def test_what_cannot_be_verified_is_told_held_and_tried_again() -> None:
    world = World()
    machine = _live(world)
    world.provider.down = True
    world.monitor.announce("breach")
    machine.walk()
    assert machine.name is None
    assert _state(world) is RunState.RECOVERY_UNVERIFIED
    assert world.run.verdict is ExperimentVerdict.RECOVERY_UNVERIFIED
    assert [hold.unverified for hold in world.store.held.values()] == [True]
    assert "recovery-unverified" in {occasion for occasion, _, _ in world.notifier.told}
    world.provider.down = False
    world.monitor.end("completed")
    for _ in range(10):
        world.clock.advance(60)
        world.reap_all()
    assert _state(world) is RunState.ANALYZED
    assert world.provider.there == set()
    assert world.store.held == {}


def test_a_dead_execution_is_noticed_within_a_minute_of_the_monitors_word() -> None:
    world = World()
    _live(world)
    world.monitor.announce("breach")
    for _ in range(4):
        world.clock.advance(15)
        world.monitor.beat()
        world.watch(RUN_ID)
    assert world.provider.there == set()


def test_a_silent_monitor_ends_the_run() -> None:
    world = World()
    machine = _live(world)
    for _ in range(3):
        world.clock.advance(15)
        world.watch(RUN_ID)
    machine.walk()
    assert world.provider.there == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.MONITOR_SILENT


def test_the_dead_man_undoes_what_everybody_else_forgot() -> None:
    world = World()
    _live(world)
    world.clock.advance(timedelta(minutes=10))
    world.reap_all(RUN_ID)
    assert world.provider.there == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.TIMEOUT


def test_the_halt_switch_is_found_by_the_watch() -> None:
    world = World()
    machine = _live(world)
    world.facts.set_halt(Halt(reason="outage", by="ops", at=START))
    world.clock.advance(15)
    world.monitor.beat()
    world.watch(RUN_ID)
    machine.walk()
    assert world.provider.there == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.HALT


def test_the_gate_is_asked_again_while_something_is_broken() -> None:
    world = World()
    machine = _live(world)
    world.clock.advance(15)
    world.monitor.beat()
    fresh = world.phase.gate_fresh_until
    world.watch(RUN_ID)
    assert world.phase.gate_fresh_until != fresh
    world.gate.outcome = GateOutcome.ABORT
    world.clock.advance(15)
    world.monitor.beat()
    world.watch(RUN_ID)
    machine.walk()
    assert world.provider.there == set()
    assert world.run.abort is not None
    assert world.run.abort.cause is AbortCause.GATE


def test_an_abort_before_a_faults_turn_keeps_that_fault_out() -> None:
    world = World(make_spec(faults=2))
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    world.provider.meanwhile = lambda: world.record_abort(
        RUN_ID, cause=AbortCause.ACTOR, reason="enough", by="ada"
    )
    machine.walk()
    assert world.provider.ever == {f"chaos-{RUN_ID}-1-slow-0"}
    assert world.provider.there == set()


def test_a_fault_that_went_in_after_it_was_undone_is_taken_back() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")
    marker = f"chaos-{RUN_ID}-1-slow-0"

    def undone_while_the_call_hangs() -> None:
        world.provider.there.clear()
        world.clock.advance(31)
        world.recover(RUN_ID)
        world.provider.there.add(marker)

    world.provider.meanwhile = undone_while_the_call_hangs
    machine.walk()
    assert world.provider.ever == {marker}
    assert world.provider.there == set()


def test_a_fault_that_was_gone_before_its_step_was_over_is_no_pass() -> None:
    world = World()
    machine = _live(world)
    world.clock.advance(30)
    world.provider.there.clear()  # such as by a restart of the provider
    world.monitor.announce("step-over")
    _finish(world, machine)
    assert world.run.abort is not None
    assert (world.run.abort.cause, world.run.verdict) == (AbortCause.INJECTION, ExperimentVerdict.ABORTED)
    assert "slow-0 did not stay in" in world.run.abort.reason


def test_a_fault_that_its_provider_ended_after_its_duration_was_in_as_long_as_it_was_meant_to() -> None:
    world = World()
    world.provider.own_time_limit = True
    machine = _live(world)
    world.clock.advance(30)
    world.provider.there.clear()
    world.monitor.announce("step-over")
    _finish(world, machine)
    assert world.run.abort is None


def test_a_late_answer_proves_nothing_while_another_execution_asked_again() -> None:
    """A Lambda that was given up for dead still works: it must not close what its successor has asked for."""
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")

    def asked_again_meanwhile() -> None:
        world.clock.advance(1)
        (stored,) = world.store.injections(RUN_ID)
        world.store.save_injection(replace(stored, asked_at=world.clock.now()))
        world.provider.late.append((world.clock.now() + timedelta(seconds=20), stored.marker))

    world.provider.meanwhile = asked_again_meanwhile
    machine.walk()
    world.clock.advance(60)
    world.provider.land()
    assert world.provider.there == set()
    assert _state(world) is RunState.RECOVERY


def test_a_fault_that_goes_in_after_the_end_and_cannot_be_taken_back_is_held_and_told() -> None:
    world = World()
    machine = Machine(world)
    machine.walk()
    world.monitor.lease()
    world.monitor.announce("live")

    def analysed_while_the_call_hangs() -> None:
        world.provider.there.clear()
        world.clock.advance(31)
        world.monitor.end("completed")
        world.recover(RUN_ID)
        world.analyze(RUN_ID)
        world.provider.down = True

    world.provider.meanwhile = analysed_while_the_call_hangs
    machine.walk()
    assert _state(world) is RunState.ANALYZED
    assert [hold.unverified for hold in world.store.held.values()] == [True]
    assert "recovery-unverified" in {occasion for occasion, _, _ in world.notifier.told}


def test_unverified_is_told_at_once_and_then_ever_more_seldom() -> None:
    world = World()
    machine = _live(world)
    world.provider.down = True
    world.monitor.announce("breach")
    machine.walk()
    for _ in range(20):
        world.clock.advance(60)
        world.reap_all()
    told = [occasion for occasion, _, _ in world.notifier.told]
    assert told.count("recovery-unverified") == 5


def test_a_run_whose_execution_was_never_started_is_started_by_the_watch_and_then_given_up() -> None:
    world = World()
    world.clock.advance(31)
    world.watch(RUN_ID)
    assert world.engine.started == [f"{RUN_ID}-p1"]
    for _ in range(12):
        world.clock.advance(15)
        world.watch(RUN_ID)
    assert _state(world) is RunState.ANALYZED
    assert world.run.verdict is ExperimentVerdict.NOT_INJECTED


def test_two_messages_for_one_run_make_one_turn() -> None:
    world = World()
    assert world.watch(RUN_ID)
    assert not world.watch(RUN_ID)
    assert len(world.queues.sent) == 1


def test_a_lost_watch_is_armed_again_within_a_minute() -> None:
    world = World()
    _live(world)
    world.queues.sent.clear()
    world.clock.advance(60)
    world.monitor.beat()
    world.reap_all()
    assert world.queues.sent == [(RUN_ID, 0)]
