"""The monitor against phases that a test plays, with probes that a test answers."""

from dataclasses import dataclass, field
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from crosswind.chaos import layout
from crosswind.chaos.tolerance import Judge
from crosswind.contracts.chaos.monitoring import MonitorPlan, MonitorResult, PhaseRecord, Sample
from crosswind.contracts.chaos.probes import HttpProbe, Phase, SuiteProbe
from crosswind.contracts.chaos.spec import Guard
from crosswind.kernel.clock import SystemClock, to_iso
from crosswind.kernel.errors import DependencyError
from crosswind.runner.faults import Cause, InterruptedAttemptError, Interruption
from crosswind.runner.monitoring import loop, sampling
from crosswind.runner.monitoring.loop import Monitor
from crosswind.runner.monitoring.measuring import Measured, Prober, UnmeasurableError
from tests.fakes import MemoryObjectStore
from tests.unit.runner.rig import wait_until

RUN = "exp-00000000000000000000000001"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TURN_SECONDS", 0.005)
    monkeypatch.setattr(loop, "READ_PHASE_SECONDS", 0.01)
    monkeypatch.setattr(loop, "KEEP_SECONDS", 0.02)


def probe(name: str = "orders", **more: Any) -> HttpProbe:
    return HttpProbe(name=name, type="http", url="http://shop/", interval="0h0m0s", **more)


def _no_suites(probe: SuiteProbe, phase: Phase, step: int) -> Measured:
    raise UnmeasurableError(f"nobody runs suites here: {probe.suite} {phase} {step}")


@dataclass
class Stage:
    """A monitor at work, and what it is told and tells."""

    well: bool = True
    unmeasurable: bool = False
    beats: int = 1
    hanging: str | None = None  # probes whose names begin so
    badly: str | None = None  # a probe that is never well
    faults: int = 0  # announcements that fail before one is stored
    plan: MonitorPlan = field(
        default_factory=lambda: MonitorPlan(
            run_id=RUN,
            team="demo",
            environment="local",
            probes=(probe(ratio=0.5),),
            guards=(Guard(name="slo", probe=probe("inner")),),
            baseline_seconds=0.05,
            recovery_seconds=0.5,
            timeout_seconds=20,
        )
    )
    artifacts: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    told: list[tuple[int, str]] = field(default_factory=list)
    results: list[MonitorResult] = field(default_factory=list)
    ended_by: list[BaseException] = field(default_factory=list)
    interruption: Interruption = field(default_factory=Interruption)

    def take(self, taken: Any) -> Measured:
        if self.hanging is not None and taken.name.startswith(self.hanging):
            self.interruption.wait(5)
        if self.unmeasurable:
            raise UnmeasurableError("nobody answers")
        well = self.well and taken.name != self.badly
        return Measured(200 if well else 503, well=well)

    def announce(self, *, number: int, name: str, detail: str | None = None) -> None:
        if self.faults:
            self.faults -= 1
            raise DependencyError("away")
        self.told.append((number, name))

    def start(self) -> Thread:
        judge = Judge(find=lambda _p, _t: None, select=lambda _p, _d: [])
        monitor = Monitor(
            run_id=RUN,
            epoch=1,
            artifacts=self.artifacts,
            prober=lambda _plan: Prober({"http": self.take}, judge, SystemClock(), _no_suites),
            announce=self.announce,
            beats=lambda: self.beats,
            note=lambda _text: None,
            interruption=self.interruption,
            clock=SystemClock(),
        )

        def work() -> None:
            try:
                self.results.append(monitor.run(self.plan))
            except BaseException as error:  # noqa: BLE001  # a test looks at it
                self.ended_by.append(error)

        thread = Thread(target=work, daemon=True)
        thread.start()
        return thread

    def phase(self, phase: Phase, *, step: int = 0, until: float | None = None, **more: float) -> None:
        now = SystemClock().now()
        moments = {name: to_iso(now + timedelta(seconds=each)) for name, each in more.items()}
        record = PhaseRecord(
            phase=phase,
            step=step,
            since=to_iso(now),
            until=None if until is None else to_iso(now + timedelta(seconds=until)),
            **moments,
        )
        self.artifacts.put(layout.phase_key(RUN), record.to_wire().encode())

    def until_told(self, number: int, name: str) -> None:
        wait_until(lambda: (number, name) in self.told)

    def samples(self) -> list[Sample]:
        keys = sorted(key for key in self.artifacts.objects if "/samples/" in key)
        lines = [line for key in keys for line in self.artifacts.objects[key].data.decode().splitlines()]
        return [Sample.model_validate_json(line) for line in lines]


def ended(stage: Stage, thread: Thread) -> MonitorResult:
    thread.join(10)
    assert not stage.ended_by
    return stage.results[0]


def test_a_run_that_stays_steady_is_watched_from_live_to_the_end() -> None:
    stage = Stage()
    thread = stage.start()
    stage.until_told(1, "live")
    stage.phase(Phase.DURING, step=1, until=0.1)
    stage.until_told(2, "step-over")
    stage.phase(Phase.DURING, step=2, until=0.1)
    stage.until_told(3, "step-over")
    stage.phase(Phase.AFTER, step=2, undone_at=0)
    result = ended(stage, thread)
    assert stage.told == [(1, "live"), (2, "step-over"), (3, "step-over")]
    assert result.baseline_held
    assert result.steady_again_at is not None
    assert result.breach is None
    assert {(each.phase, each.step) for each in result.summaries if not each.guard} == {
        (Phase.BEFORE, 0),
        (Phase.DURING, 1),
        (Phase.DURING, 2),
        (Phase.AFTER, 0),
    }
    assert len(stage.samples()) >= sum(each.samples for each in result.summaries)


def test_nothing_is_live_before_the_first_heartbeat_is_stored() -> None:
    stage = Stage(beats=0)
    stage.start()
    wait_until(lambda: len(stage.samples()) > 5)
    assert stage.told == []
    stage.beats = 1
    stage.until_told(1, "live")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_an_unsteady_state_lets_nothing_in() -> None:
    stage = Stage(well=False)
    result = ended(stage, stage.start())
    assert stage.told == [(1, "unsteady")]
    assert not result.baseline_held


def test_a_breach_is_told_at_once_and_after_that_the_way_back_is_watched() -> None:
    stage = Stage()
    thread = stage.start()
    stage.until_told(1, "live")
    stage.phase(Phase.DURING, step=1, until=60)
    wait_until(lambda: any(each.phase is Phase.DURING for each in stage.samples()))
    stage.well = False
    stage.until_told(2, "breach")
    stage.phase(Phase.AFTER, step=1)  # being undone: not the way back yet
    stage.well = True
    stage.phase(Phase.AFTER, step=1, undone_at=0)
    result = ended(stage, thread)
    assert stage.told == [(1, "live"), (2, "breach")]
    assert result.breach is not None
    assert "slo" in result.breach
    assert result.steady_again_at is not None


def test_what_is_measured_after_a_breach_does_not_make_the_step_look_better() -> None:
    stage = Stage()
    thread = stage.start()
    stage.until_told(1, "live")
    stage.well = False
    stage.phase(Phase.DURING, step=1, until=60)
    stage.until_told(2, "breach")
    told = len(stage.samples())
    stage.well = True  # the fault is out, and nobody has written so yet
    wait_until(lambda: len(stage.samples()) > told + 100)
    stage.phase(Phase.AFTER, step=1, undone_at=0)
    (during,) = [
        each for each in ended(stage, thread).summaries if each.phase is Phase.DURING and not each.guard
    ]
    assert (during.within, during.held) == (0, False)


def test_a_guard_that_cannot_be_measured_is_a_breach() -> None:
    stage = Stage()
    stage.start()
    stage.until_told(1, "live")
    stage.unmeasurable = True
    stage.phase(Phase.DURING, step=1, until=60)
    stage.until_told(2, "breach")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_a_gate_that_was_not_asked_again_is_a_breach() -> None:
    stage = Stage()
    stage.start()
    stage.until_told(1, "live")
    stage.phase(Phase.DURING, step=1, until=60, gate_fresh_until=-1)
    stage.until_told(2, "breach")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_a_breach_after_a_step_is_told_before_the_next_one() -> None:
    stage = Stage()
    thread = stage.start()
    stage.until_told(1, "live")
    stage.phase(Phase.DURING, step=1, until=0)
    stage.until_told(2, "step-over")
    stage.well = False
    stage.until_told(3, "breach")
    stage.phase(Phase.AFTER, step=1, undone_at=0)
    stage.well = True
    ended(stage, thread)
    assert stage.told == [(1, "live"), (2, "step-over"), (3, "breach")]


def test_nothing_goes_in_while_a_guard_is_breached_already() -> None:
    stage = Stage(badly="inner")
    ended(stage, stage.start())
    assert stage.told == [(1, "unsteady")]


def test_a_guard_that_is_meant_for_the_faults_only_is_not_asked_before_them() -> None:
    stage = Stage(badly="inner")
    only = Guard(name="slo", probe=probe("inner", phases=(Phase.DURING,)))
    stage.plan = stage.plan.model_copy(update={"guards": (only,)})
    stage.start()
    stage.until_told(1, "live")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_a_guard_that_hangs_is_a_breach_although_it_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "OVERDUE_SECONDS", 0.05)
    stage = Stage()
    only = Guard(name="slo", probe=probe("inner", timeout="0h0m0s"))
    stage.plan = stage.plan.model_copy(update={"guards": (only,)})
    stage.start()
    stage.until_told(1, "live")
    stage.hanging = "inner"
    stage.phase(Phase.DURING, step=1, until=60)
    stage.until_told(2, "breach")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_many_probes_that_hang_keep_no_guard_waiting() -> None:
    slow = tuple(probe(f"slow-{number}", phases=(Phase.DURING,)) for number in range(30))
    stage = Stage(hanging="slow-")
    stage.plan = stage.plan.model_copy(update={"probes": (probe(), *slow)})
    stage.start()
    stage.until_told(1, "live")
    stage.phase(Phase.DURING, step=1, until=60)
    wait_until(lambda: any(each.phase is Phase.DURING for each in stage.samples()))
    stage.well = False
    stage.until_told(2, "breach")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_a_step_is_not_over_before_all_its_faults_are_in() -> None:
    stage = Stage()
    stage.start()
    stage.until_told(1, "live")
    stage.phase(Phase.DURING, step=1)  # being injected
    wait_until(lambda: any(each.phase is Phase.DURING for each in stage.samples()))
    assert stage.told == [(1, "live")]
    stage.phase(Phase.DURING, step=1, until=0)
    stage.until_told(2, "step-over")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_an_announcement_is_repeated_until_it_is_stored() -> None:
    stage = Stage(faults=1)
    stage.start()
    stage.until_told(1, "live")
    stage.interruption.raise_flag(Cause.STOPPING)


def test_a_way_back_that_takes_too_long_ends_with_what_was_seen() -> None:
    stage = Stage()
    thread = stage.start()
    stage.until_told(1, "live")
    stage.well = False
    stage.phase(Phase.AFTER, step=1, undone_at=0)
    assert ended(stage, thread).steady_again_at is None


@pytest.mark.parametrize("cause", list(Cause))
def test_a_monitor_that_lost_its_lease_or_is_stopped_ends_at_once(cause: Cause) -> None:
    stage = Stage()
    thread = stage.start()
    stage.until_told(1, "live")
    stage.interruption.raise_flag(cause)
    thread.join(5)
    (error,) = stage.ended_by
    assert isinstance(error, InterruptedAttemptError)


def test_a_probe_that_hangs_costs_its_own_samples_only() -> None:
    stage = Stage(hanging="slow")
    stage.plan = stage.plan.model_copy(
        update={"probes": (probe(), probe("slow", phases=(Phase.DURING,))), "guards": ()}
    )
    stage.start()
    stage.until_told(1, "live")
    stage.phase(Phase.DURING, step=1, until=0.1)
    stage.until_told(2, "step-over")
    assert "slow" not in {each.probe for each in stage.samples()}
    stage.interruption.raise_flag(Cause.STOPPING)
