"""The monitor: from the steady state before, through every step, to the steady state after.

It reads what the run is doing from `phase.json`, announces by its work item (ADR 0002), and keeps everything that it saw
in the artifacts bucket. It injects and undoes nothing: when it falls silent, its lease ends and the engine undoes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from crosswind.chaos import layout
from crosswind.chaos.steadiness import Breach, Observations
from crosswind.contracts.chaos.monitoring import (
    AnnouncementName,
    MonitorPlan,
    MonitorResult,
    PhaseRecord,
    Sample,
)
from crosswind.contracts.chaos.probes import Phase
from crosswind.kernel.clock import Clock, from_iso, to_iso
from crosswind.kernel.errors import NotFoundError, RetryableError
from crosswind.runner.faults import Interruption
from crosswind.runner.monitoring.measuring import Prober
from crosswind.runner.monitoring.sampling import Sampler, Watched
from crosswind.runs.ports import ObjectStore
from crosswind.runs.protocol import MAX_ANNOUNCEMENTS

TURN_SECONDS = 0.1
READ_PHASE_SECONDS = 1.0
KEEP_SECONDS = 5.0
MOST_SAMPLES_OF_A_CHUNK = 2000
_DOCUMENT_BYTES = 4 * 1024 * 1024
_PHASE_BYTES = 64 * 1024
_STALE = "the gate has not been asked again in time, so its last answer counts no more"


class Tell(Protocol):
    """Makes the announcement of that number on the work item; safe to repeat."""

    def __call__(self, *, number: int, name: str, detail: str | None = None) -> object: ...


@dataclass
class Monitor:
    """Watches one run. `beats` tells how many heartbeats of this lease are stored."""

    run_id: str
    epoch: int
    artifacts: ObjectStore
    prober: Callable[[MonitorPlan], Prober]
    announce: Tell
    beats: Callable[[], int]
    note: Callable[[str], None]
    interruption: Interruption
    clock: Clock
    _announced: int = 0
    _breach_told: bool = False
    _kept: list[str] = field(default_factory=list)
    _pending: list[Sample] = field(default_factory=list)
    _keep_at: float = 0.0

    def run(self, plan: MonitorPlan) -> MonitorResult:
        """Watch to the end. Raises InterruptedAttemptError when the lease is lost or the runner stops."""
        began = self.clock.now()
        ends = began + timedelta(seconds=plan.timeout_seconds)
        observations = Observations(plan.probes, plan.guards)
        watched = [
            *(Watched(probe.name, guard=False, probe=probe) for probe in plan.probes),
            *(Watched(guard.name, guard=True, probe=guard.probe) for guard in plan.guards),
        ]
        sampler = Sampler(self.prober(plan), watched)
        try:
            if self._before(plan, sampler, observations):
                self._through(plan, sampler, observations, ends)
            return self._keep_result(began, observations)
        finally:
            sampler.close()

    def _before(self, plan: MonitorPlan, sampler: Sampler, observations: Observations) -> bool:
        """The baseline: whether the steady state held, and faults may go in."""
        self.note(f"watching the steady state for {plan.baseline_seconds:g} s")
        sampler.enter(Phase.BEFORE, 0)
        until = time.monotonic() + plan.baseline_seconds
        latest = until + max(30.0, plan.baseline_seconds)
        while True:
            self._turn(sampler, observations)
            now = time.monotonic()
            if now >= latest or (now >= until and self.beats() > 0 and _measured(plan, observations)):
                break
        reasons = (*observations.faults(Phase.BEFORE), *observations.guards_amiss())
        if not reasons and self.beats() > 0:
            self._tell(1, AnnouncementName.LIVE, "the steady state held")
            return True
        reasons = reasons or ("no heartbeat could be stored",)
        self._tell(1, AnnouncementName.UNSTEADY, "; ".join(reasons))
        return False

    def _through(
        self, plan: MonitorPlan, sampler: Sampler, observations: Observations, ends: datetime
    ) -> None:
        phase: PhaseRecord | None = None
        read_at = 0.0
        while self.clock.now() < ends:
            if time.monotonic() >= read_at:
                phase, read_at = self._phase() or phase, time.monotonic() + READ_PHASE_SECONDS
            if phase is not None and phase.phase is Phase.DURING:
                sampler.enter(Phase.DURING, phase.step)
                self._turn(sampler, observations)
                self._watch_step(phase, observations)
            elif phase is not None and phase.undone_at is not None:
                sampler.enter(Phase.AFTER, 0)
                self._turn(sampler, observations)
                late = from_iso(phase.undone_at) + timedelta(seconds=plan.recovery_seconds)
                if observations.steady_again_at() is not None or self.clock.now() >= late:
                    return
            else:
                self._turn(sampler, observations)

    def _watch_step(self, phase: PhaseRecord, observations: Observations) -> None:
        number = 1 + phase.step
        if self._announced == number and number < MAX_ANNOUNCEMENTS and not self._breach_told:
            number += 1  # the step is over: what breaks while it is undone keeps the next one out
        if self._announced >= number:
            return
        breach = observations.breach or self._stale(phase)
        if breach is not None:
            self._breach_told = True
            observations.breach = breach
            observations.end_step(phase.step, self.clock.now())
            self._tell(number, AnnouncementName.BREACH, breach.reason)
            self._keep_result(self.clock.now(), observations)
        elif (
            number == 1 + phase.step and phase.until is not None and self.clock.now() >= from_iso(phase.until)
        ):
            observations.end_step(phase.step, self.clock.now())
            self._tell(number, AnnouncementName.STEP_OVER, None)

    def _stale(self, phase: PhaseRecord) -> Breach | None:
        now = self.clock.now()
        if phase.gate_fresh_until is None or now < from_iso(phase.gate_fresh_until):
            return None
        return Breach("gate", now, _STALE)

    def _turn(self, sampler: Sampler, observations: Observations) -> None:
        """A tenth of a second: start what is due, take in what has come, keep it now and then."""
        self.interruption.check()
        sampler.take_due()
        for sample in sampler.samples():
            observations.add(sample)
            self._pending.append(sample)
        if time.monotonic() >= self._keep_at or len(self._pending) >= MOST_SAMPLES_OF_A_CHUNK:
            self._keep_samples()
        self.interruption.wait(TURN_SECONDS)

    def _tell(self, number: int, name: AnnouncementName, detail: str | None) -> None:
        self.note(f"{name.value}{f': {detail}' if detail else ''}")
        while True:
            self.interruption.check()
            try:
                self.announce(number=number, name=name.value, detail=detail[:1000] if detail else None)
            except RetryableError:
                self.interruption.wait(0.5)  # until the lease is lost: nobody else can say it
            else:
                self._announced = number
                return

    def _phase(self) -> PhaseRecord | None:
        """What the run is doing; None where it cannot be read just now."""
        try:
            data = self.artifacts.get(layout.phase_key(self.run_id), limit_bytes=_PHASE_BYTES)
        except (NotFoundError, RetryableError):
            return None
        return PhaseRecord.model_validate_json(data)

    def _keep_samples(self) -> None:
        self._keep_at = time.monotonic() + KEEP_SECONDS
        if not self._pending:
            return
        key = layout.sample_key(self.run_id, self.epoch, len(self._kept))
        data = "".join(f"{sample.to_wire()}\n" for sample in self._pending).encode()
        try:
            self.artifacts.put(key, data, content_type="application/x-ndjson")
        except RetryableError:
            return  # kept with the next ones
        self._kept.append(key)
        self._pending.clear()

    def _keep_result(self, began: datetime, observations: Observations) -> MonitorResult:
        self._keep_samples()
        breach, back = observations.breach, observations.steady_again_at()
        deviated = observations.deviated_at
        result = MonitorResult(
            run_id=self.run_id,
            epoch=self.epoch,
            started_at=to_iso(began),
            finished_at=to_iso(self.clock.now()),
            summaries=observations.summaries(),
            breach=f"{breach.guard}: {breach.reason}" if breach else None,
            breached_at=to_iso(breach.at) if breach else None,
            deviated_at=to_iso(deviated) if deviated else None,
            steady_again_at=to_iso(back) if back else None,
            sample_objects=tuple(self._kept),
            baseline_held=observations.held(Phase.BEFORE),
        )
        key = layout.monitor_result_key(self.run_id, self.epoch)
        self.artifacts.put(key, result.to_wire().encode(), content_type="application/json")
        return result


def read_plan(artifacts: ObjectStore, key: str) -> MonitorPlan:
    """The plan that an order points at. Raises NotFoundError."""
    return MonitorPlan.model_validate_json(artifacts.get(key, limit_bytes=_DOCUMENT_BYTES))


def _measured(plan: MonitorPlan, observations: Observations) -> bool:
    """Whether every probe of the steady state and every guard was taken at least once."""
    wanted = {(probe.name, False) for probe in plan.probes if Phase.BEFORE in probe.phases}
    wanted |= {(guard.name, True) for guard in plan.guards if Phase.BEFORE in guard.probe.phases}
    return wanted <= {
        (each.probe, each.guard) for each in observations.summaries() if each.phase is Phase.BEFORE
    }
