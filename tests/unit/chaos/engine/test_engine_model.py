"""Whatever happens to the engine: in the end nothing is left at the provider, or the run says so and somebody was told.

Executions die, Lambdas die between any two writes, others act in the middle of them, monitors fall silent, providers
throttle, lose answers and begin late. Nothing is assumed but that the rule of every minute fires and that time goes on.
"""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from crosswind.chaos.model import Halt
from crosswind.contracts.chaos.gate import GateOutcome
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, FaultState, RunState
from crosswind.kernel.errors import CrosswindError
from tests.unit.chaos.engine.machine import Killed, Machine
from tests.unit.chaos.engine.provider import Mood
from tests.unit.chaos.engine.stand_ins import RUN_ID
from tests.unit.chaos.engine.world import World, make_spec

_MOODS = st.sampled_from([Mood.WELL, Mood.THROTTLED, Mood.LOST, Mood.LATE, Mood.REFUSED, Mood.BROKEN])
_CALLS = st.sampled_from(["preview", "inject", "status", "stop", "verify"])
_ROUNDS = 40  # of a minute: longer than any timeout here


class EngineLives(RuleBasedStateMachine):
    """One run, up to three executions of it, and everybody else who acts on it."""

    @initialize(
        faults=st.integers(1, 3),
        rungs=st.integers(1, 2),
        well=st.integers(0, 3),
        moods=st.lists(_MOODS, max_size=3),
    )
    def begin(self, faults: int, rungs: int, well: int, moods: list[Mood]) -> None:
        """`well`: how often all but the provider goes well before anything happens."""
        self.world = World(make_spec(faults=faults, rungs=rungs))
        self.world.store.interrupt = self._interrupt
        self.machines = [Machine(self.world)]
        self.pending: tuple[int, Callable[[], None]] | None = None
        self.busy = False
        self.world.provider.moods["inject"] = moods
        self.world.provider.meanwhile = self._interrupt
        for _ in range(well):
            self.it_goes_well()

    # --- the engine -------------------------------------------------------------------------------------------------

    @rule()
    def machine_goes_on(self) -> None:
        self._by_machine(lambda machine: machine.step())

    @rule()
    def machine_goes_as_far_as_it_can(self) -> None:
        self._by_machine(lambda machine: machine.walk())

    @rule()
    def it_goes_well(self) -> None:
        """As far as the next wait, and what is waited for comes."""
        self._by_machine(lambda machine: machine.walk())
        monitor = self.world.monitor
        monitor.lease()
        told = {None: None, 1: "live"}.get(monitor.awaits, "step-over")
        if told is None:
            monitor.end("completed")
        elif len(monitor.announced) < (monitor.awaits or 0):
            self.world.clock.advance(2)
            monitor.announce(told)
        self._by_machine(lambda machine: machine.walk())

    @rule()
    def execution_dies(self) -> None:
        if self.machines:
            self.machines.pop()

    @rule(call=st.integers(1, 25))
    def lambda_dies(self, call: int) -> None:
        """The next one, at its n-th call of the store."""

        def die() -> None:
            raise Killed

        self.pending = (call, die)

    @rule(
        call=st.integers(1, 25),
        who=st.sampled_from(["watch", "reap", "abort", "wait", "recover", "undo late"]),
    )
    def others_act_in_between(self, call: int, who: str) -> None:
        """In the middle of the next Lambda, at its n-th call of the store."""
        self.pending = (call, lambda: self._act(who))

    @precondition(lambda self: len(self.machines) < 3)
    @rule()
    def execution_is_started_twice(self) -> None:
        if self.world.engine.started or self.world.run.state is RunState.SCHEDULED:
            self.machines.append(Machine(self.world))

    # --- everybody else ---------------------------------------------------------------------------------------------

    @rule(who=st.sampled_from(["watch", "reap", "abort", "recover"]))
    def somebody_acts(self, who: str) -> None:
        self._quietly(lambda: self._act(who))

    @rule(seconds=st.sampled_from([1, 5, 16, 31, 61, 400]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        self.world.provider.land()

    @rule(name=st.sampled_from(["live", "live", "unsteady", "step-over", "step-over", "breach"]))
    def monitor_announces(self, name: str) -> None:
        monitor = self.world.monitor
        if not monitor.leased:
            monitor.lease()
        monitor.announce(name)

    @rule()
    def monitor_beats(self) -> None:
        if self.world.monitor.leased:
            self.world.monitor.beat()

    @rule(how=st.sampled_from(["completed", "error", "cancelled"]))
    def monitor_ends(self, how: str) -> None:
        self.world.monitor.end(how, "told by the test")

    @rule(call=_CALLS, moods=st.lists(_MOODS, min_size=1, max_size=3))
    def provider_is_moody(self, call: str, moods: list[Mood]) -> None:
        self.world.provider.moods.setdefault(call, []).extend(moods)

    @rule(down=st.booleans())
    def provider_goes(self, down: bool) -> None:
        self.world.provider.down = down

    @rule(outcome=st.sampled_from([GateOutcome.PROCEED] * 3 + list(GateOutcome)))
    def gate_changes_its_mind(self, outcome: GateOutcome) -> None:
        self.world.gate.outcome = outcome

    @rule(on=st.booleans())
    def halt_switch(self, on: bool) -> None:
        if on:
            self.world.facts.set_halt(Halt(reason="outage", by="ops", at=self.world.clock.now()))
        else:
            self.world.facts.clear_halt()

    # --- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def what_is_there_is_stored_as_asked_for(self) -> None:
        world = self.world
        stored = {each.marker: each for each in world.store.planned.values()}
        for marker in world.provider.there:
            assert stored[marker].asked_at is not None
            assert stored[marker].compensation
            assert stored[marker].state not in {FaultState.PLANNED, FaultState.REMOVED, FaultState.REFUSED}

    @invariant()
    def nothing_is_asked_for_without_a_dead_man_and_a_monitor_that_was_live(self) -> None:
        world = self.world
        if world.provider.ever and world.run.state is not RunState.ANALYZED:
            assert world.dead_man.armed is not None
        if world.provider.ever:
            assert world.monitor.announced[0][0] == "live"

    @invariant()
    def an_analysed_run_left_nothing(self) -> None:
        world = self.world
        if world.run.state is RunState.ANALYZED:
            assert not world.provider.there
            assert not world.provider.late
            assert not world.store.held
            assert all(
                each.state in {FaultState.REMOVED, FaultState.REFUSED}
                for each in world.store.planned.values()
            )

    @invariant()
    def held_takes_every_fault(self) -> None:
        world = self.world
        if world.run.verdict is ExperimentVerdict.HELD:
            assert all(each.injected_at for each in world.store.planned.values())

    @invariant()
    def who_is_unverified_is_told(self) -> None:
        told = {occasion for occasion, _, _ in self.world.notifier.told}
        if self.world.run.state is RunState.RECOVERY_UNVERIFIED and self.pending is None:
            assert self.world.run.recovery_attempts >= 1
            assert "recovery-unverified" in told or self.died

    died = False

    # --- the end ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All executions are gone. Time goes on, the rule of every minute fires, and the provider heals or does not."""
        if not hasattr(self, "world"):
            return
        world = self.world
        self.pending = None
        world.provider.moods.clear()
        for _ in range(_ROUNDS):
            world.clock.advance(60)
            world.provider.land()
            self._quietly(world.reap_all)
            for run_id, _ in world.queues.sent[-1:]:
                self._quietly(lambda run_id=run_id: world.watch(run_id))  # type: ignore[misc]  # mypy takes the default for a second argument
            world.queues.sent.clear()
        if world.run.state is RunState.BLOCKED or world.provider.down:
            self._end_blocked_or_down()
            return
        assert world.run.state is RunState.ANALYZED, (world.run.state, world.run.abort)
        assert world.run.verdict is not None
        self.an_analysed_run_left_nothing()

    def _end_blocked_or_down(self) -> None:
        world = self.world
        if world.run.state is RunState.RECOVERY_UNVERIFIED:
            assert any(
                each.state not in {FaultState.REMOVED, FaultState.REFUSED}
                for each in world.store.planned.values()
            )
            assert "recovery-unverified" in {occasion for occasion, _, _ in world.notifier.told}
            assert any(hold.unverified for hold in world.store.held.values())
        else:
            assert not world.provider.there

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _by_machine(self, go: Callable[[Machine], None]) -> None:
        for machine in self.machines:
            self.busy = True
            try:
                go(machine)
            finally:
                self.busy = False
                self.pending = None

    def _interrupt(self) -> None:
        """Before each call of the store by a Lambda of the machine: perhaps this is where something happens."""
        if not self.busy or self.pending is None:
            return
        left, act = self.pending
        if left > 1:
            self.pending = (left - 1, act)
            return
        self.pending, self.busy = None, False
        try:
            act()
        except Killed:
            self.died = True
            raise
        finally:
            self.busy = True

    def _act(self, who: str) -> None:
        world = self.world
        try:
            match who:
                case "watch":
                    world.watch(RUN_ID)
                case "reap":
                    world.reap_all()
                case "recover":
                    if world.run.abort is not None:
                        world.recover(RUN_ID)
                case "abort":
                    world.record_abort(RUN_ID, cause=AbortCause.ACTOR, reason="enough", by="ada")
                case "undo late":
                    world.record_abort(RUN_ID, cause=AbortCause.ACTOR, reason="enough", by="ada")
                    world.clock.advance(31)
                    world.recover(RUN_ID)
                case _:
                    world.clock.advance(31)
                    world.provider.land()
        except CrosswindError:
            pass

    def _quietly(self, act: Callable[[], object]) -> None:
        with suppress(CrosswindError):
            act()


EngineLives.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEngineLives = EngineLives.TestCase
