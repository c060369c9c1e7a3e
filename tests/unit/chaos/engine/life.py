"""One run as time passes, by itself: its machine, monitor, watch, reaper and schedules act; at one place a blow falls.

A place is before any write of a Lambda, before any call of the provider, between a fault's coming into being and the
provider's answer, and wherever everything rests. They are counted in the order in which a road comes by them, which is
the same each time; so a blow can fall at each.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crosswind.chaos import layout
from crosswind.chaos.model import ExperimentRun, Injection
from crosswind.chaos.usecases.aborting import AbortRun
from crosswind.contracts.chaos.gate import GateOutcome
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.probes import Phase
from crosswind.kernel.clock import from_iso
from crosswind.kernel.errors import CrosswindError
from tests.fakes import START, SettableClock
from tests.unit.chaos.engine.machine import Killed, Machine
from tests.unit.chaos.engine.stand_ins import RUN_ID, FakeQueues
from tests.unit.chaos.engine.world import World, make_spec
from tests.unit.chaos.verdict.evidence import a_good_run, result

ENGINE, REAPER, PROVIDER = "engine", "reaper", "provider"
OWN_LIMIT = timedelta(seconds=40)  # the faults are to last 30 s

_TICK = 5
_MINUTE = 60 // _TICK
_TICKS = 40 * _MINUTE
_QUEUED_AT_MOST = timedelta(seconds=120)
_HEALS_AFTER = timedelta(minutes=3)
_MONITOR_RESULT = result(a_good_run()).to_wire().encode()
_WRITES = {
    "store": ("save", "plan_injections", "save_injection", "release", "mark_unverified", "add_to_timeline"),
    "objects": ("put",),
    "dead_man": ("arm", "disarm", "wake"),
    "queues": ("watch",),
    "engine": ("start",),
    "monitor": ("cancel",),
    "notifier": ("notify",),
    "bus": ("publish",),
    "provider": ("preview", "inject", "status", "stop", "verify_removed"),
}


@dataclass(frozen=True, slots=True)
class Road:
    """How a run would go without a blow."""

    postponed: bool = False  # the gate's first answer
    breach: bool = False  # what the monitor announces
    down: bool = False  # the provider, from the breach on, for three minutes


SMOOTH, POSTPONED, BREACHED, DOWN = (
    Road(),
    Road(postponed=True),
    Road(breach=True),
    Road(breach=True, down=True),
)

Blow = Callable[["Life"], None]


@dataclass
class TimedQueues(FakeQueues):
    """Knows when a message arrives."""

    clock: SettableClock = field(default_factory=SettableClock)
    arriving: list[datetime] = field(default_factory=list)

    def watch(self, run_id: str, *, delay_seconds: int) -> None:
        self.arriving.append(self.clock.now() + timedelta(seconds=delay_seconds))


class Life:
    """A run on its road. `blow` falls at the place of that number, or nowhere."""

    def __init__(self, road: Road, *, place: int | None = None, blow: Blow | None = None) -> None:
        clock = SettableClock()
        self.queues = TimedQueues(clock=clock)
        self.world = World(make_spec(faults=2), clock=clock, queues=self.queues)
        self.road = road
        self.machines: list[Machine] = []
        self.monitor_lives = self.watch_lives = self.rule_lives = self.dead_man_lives = True
        self.heals = True
        self.back_at: datetime | None = None
        self.limited = False
        self.struck_at: datetime | None = None
        self.follows: Blow | None = None  # the blow at the place after the first one
        self.last_there: datetime | None = None
        self.last_there_alone: datetime | None = None
        self.undone_by: set[str] = set()
        self.places: list[tuple[RunState, str]] = []
        self._place, self._blow = place, blow
        self._acting = ENGINE
        self._depth = 0
        self._rested: object = None
        self._executions = 0
        self._enqueued_at: datetime | None = None
        self._down_since: datetime | None = None
        self._seen: dict[str, datetime] = {}
        self._over_since: datetime | None = None
        if road.postponed:
            self.world.gate.outcome = GateOutcome.POSTPONE
        self.world.engine.started.append(f"{RUN_ID}-p1")
        self.queues.watch(RUN_ID, delay_seconds=15)
        self._intercept()

    @property
    def run(self) -> ExperimentRun:
        """As it is stored."""
        return self.world.store.runs[RUN_ID]

    @property
    def now(self) -> datetime:
        """The moment."""
        return self.world.clock.now()

    @property
    def abort(self) -> AbortRun:
        """What the API and the halt call."""
        world = self.world
        return AbortRun(record=world.record_abort, close_unstarted=world.close_unstarted, runs=world.store)

    def pass_by(self) -> "Life":
        """Let time pass until there is nothing more to come."""
        for tick in range(1, _TICKS):
            self._rest()
            self._tick(tick)
            if self._is_over():
                break
        return self

    def execute(self) -> None:
        """One more execution, as far as it comes."""
        machine = Machine(self.world)
        self.machines.append(machine)
        self._go(machine)

    def lose_executions(self) -> None:
        """Also those that were about to begin."""
        self.machines.clear()
        self._executions = len(self.world.engine.started)

    def forget_executions(self) -> None:
        """With the names that they had: they can be given again."""
        self.lose_executions()
        self.world.engine.started.clear()
        self._executions = 0

    # --- places -----------------------------------------------------------------------------------------------------

    def _intercept(self) -> None:
        world = self.world
        world.provider.meanwhile = lambda: self._come_by("the provider has it in")
        for owner, names in _WRITES.items():
            for name in names:
                target = getattr(world, owner)
                call = self._accounted(target.stop) if name == "stop" else getattr(target, name)
                setattr(target, name, self._before(call, f"{owner}.{name}"))

    def _before(self, call: Callable[..., Any], what: str) -> Callable[..., Any]:
        def called(*values: Any, **named: Any) -> Any:
            if self._depth == 0:
                self._come_by(what)
            self._depth += 1
            try:
                return call(*values, **named)
            finally:
                self._depth -= 1

        return called

    def _accounted(self, stop: Callable[[Injection], None]) -> Callable[[Injection], None]:
        def stopped(injection: Injection) -> None:
            self.world.provider.land()
            there = self.world.provider.there
            was = injection.marker in there
            try:
                stop(injection)
            finally:
                if was and injection.marker not in there:
                    self.undone_by.add(self._acting)

        return stopped

    def _come_by(self, what: str) -> None:
        if self.struck_at is not None:
            following, self.follows = self.follows, None
            if following is not None:
                following(self)
            return
        self.places.append((self.run.state, what))
        if self._blow is not None and self._place == len(self.places) - 1:
            self.struck_at = self.now
            self._blow(self)

    def _rest(self) -> None:
        resting = (self.run.state, tuple(each.name for each in self.machines))
        if resting != self._rested:
            self._rested = resting
            with suppress(Killed):
                self._come_by("at rest")

    # --- time -------------------------------------------------------------------------------------------------------

    def _tick(self, tick: int) -> None:
        world = self.world
        world.clock.advance(_TICK)
        world.provider.land()
        self._provider_fares()
        self._monitor_acts()
        for machine in tuple(self.machines):
            self._go(machine)
        self._schedules_ring()
        if self.watch_lives:
            self._watch()
        if self.rule_lives and tick % _MINUTE == 0:
            self._by_reaper(world.reap_all)
        while self._executions < len(world.engine.started):
            self._executions += 1
            self.execute()
        self._look()

    def _provider_fares(self) -> None:
        provider = self.world.provider
        if self.road.down and self._down_since is not None and self.heals:
            provider.down = self.now < self._down_since + _HEALS_AFTER
        for marker in tuple(provider.there):
            began = self._seen.setdefault(marker, self.now)
            if self.limited and self.now >= began + OWN_LIMIT:
                provider.there.remove(marker)
                self.undone_by.add(PROVIDER)
        if self.back_at is not None and self.now >= self.back_at:
            self.watch_lives = self.rule_lives = self.dead_man_lives = True

    def _look(self) -> None:
        if self.world.provider.there:
            self.last_there = self.now
            if self.back_at is not None and self.now < self.back_at:
                self.last_there_alone = self.now

    def _monitor_acts(self) -> None:
        monitor = self.world.monitor
        if not monitor.enqueued or monitor.ended_as:
            return
        self._enqueued_at = self._enqueued_at or self.now
        if not self.monitor_lives:
            if not monitor.leased and self.now >= self._enqueued_at + _QUEUED_AT_MOST:
                monitor.end("error", "queue_timeout")
            return
        if not monitor.leased:
            monitor.lease()
            return
        monitor.beat()
        self._monitor_looks()

    def _monitor_looks(self) -> None:
        monitor, phase = self.world.monitor, self.world.phase
        told = len(monitor.announced)
        if told == 0:
            monitor.announce("live")
        elif phase.phase is Phase.AFTER and phase.undone_at is not None:
            self.world.objects.objects.pop(key := layout.monitor_result_key(RUN_ID, 1), None)
            type(self.world.objects).put(self.world.objects, key, _MONITOR_RESULT)
            monitor.end("completed")
        elif phase.phase is Phase.DURING and told == phase.step:
            if self.road.breach and self.now >= from_iso(phase.since) + timedelta(seconds=_TICK):
                self.world.provider.down = self.road.down
                self._down_since = self.now
                monitor.announce("breach")
            elif phase.until is not None and self.now >= from_iso(phase.until):
                monitor.announce("step-over")

    def _go(self, machine: Machine) -> None:
        for _ in range(200):
            if machine.name is None or machine.waits or machine not in self.machines:
                return
            machine.step()
        raise AssertionError(f"the machine goes in circles: {machine.path[-10:]}")

    def _schedules_ring(self) -> None:
        dead_man = self.world.dead_man
        if self.dead_man_lives and dead_man.armed is not None and self.now >= dead_man.armed:
            dead_man.armed = None
            self._by_reaper(lambda: self.world.reap_all(RUN_ID))
        if self.watch_lives and dead_man.wakes and self.now >= dead_man.wakes[0]:
            self.queues.arriving.append(dead_man.wakes.pop(0))

    def _watch(self) -> None:
        if self.road.postponed and self.run.state is RunState.BLOCKED:
            self.world.gate.outcome = GateOutcome.PROCEED
        waiting = self.queues.arriving
        arrived = [each for each in waiting if each <= self.now]
        waiting[:] = [each for each in waiting if each > self.now]
        for _ in arrived:
            self._by_reaper(lambda: self.world.watch(RUN_ID))

    def _by_reaper(self, act: Callable[[], object]) -> None:
        self._acting = REAPER
        try:
            with suppress(CrosswindError, Killed):
                act()
        finally:
            self._acting = ENGINE

    def _is_over(self) -> bool:
        """A minute after the run is analysed, or when its recovery was tried in vain for long, or nobody is there."""
        run, provider = self.run, self.world.provider
        if run.state is RunState.ANALYZED:
            self._over_since = self._over_since or self.now
            return not provider.late and self.now >= self._over_since + timedelta(minutes=1)
        if run.state is RunState.RECOVERY_UNVERIFIED and provider.down and not self.heals:
            return run.recovery_attempts > 3
        alone = not self.rule_lives and self.back_at is None
        return alone and self.now >= START + timedelta(minutes=20)
