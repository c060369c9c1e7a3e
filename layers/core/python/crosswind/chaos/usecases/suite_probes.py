"""Probes that are suites: the engine submits them and tells the monitor their verdicts, at each turn of a run's watch.

A monitor has no credentials of the API, and what a runner writes starts nothing: which suite runs, and with which
parameters, stands in the approved spec.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from crosswind.chaos import layout
from crosswind.chaos.beside import ProbeSuites
from crosswind.chaos.engine.phases import phase_of
from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.ports import MonitorState, Objects
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.monitoring import PhaseRecord, SuiteAnswer
from crosswind.contracts.chaos.probes import Phase, SuiteProbe
from crosswind.kernel.errors import NotFoundError, TerminalError

_ANSWER_BYTES = 64 * 1024
_MOST_ANSWERS = 1000  # 30 probes in 19 steps and two phases
_REASON_CHARACTERS = 1000


@dataclass(frozen=True)
class RunSuiteProbes:
    """Start each suite once in each phase and step that it is a probe of, and keep what it came to."""

    suites: ProbeSuites
    artifacts: Objects

    def __call__(self, run: ExperimentRun, monitor: MonitorState | None) -> None:
        """Safe to repeat. Raises RetryableError."""
        probes = [each for each in run.spec.hypothesis.probes if isinstance(each, SuiteProbe)]
        if not probes:
            return
        self._hear(run)
        if monitor is None or not monitor.leased:
            return
        phase = phase_of(run)
        for probe in _wanted(run, phase, probes):
            step = phase.step if phase.phase is Phase.DURING else 0
            key = layout.suite_answer_key(run.run_id, probe.name, phase.phase, step)
            if self._read(key) is None:
                self._write(key, self._start(run, probe, phase.phase, step))

    def _start(self, run: ExperimentRun, probe: SuiteProbe, phase: Phase, step: int) -> SuiteAnswer:
        cause = f"{run.run_id}, probe {probe.name!r} {phase.value}"
        key = f"probe/{run.run_id}/{probe.name}/{phase.value}/{step}"
        try:
            execution_id = self.suites.start(run, probe.suite, probe.parameters, cause=cause, key=key)
        except TerminalError as error:
            return SuiteAnswer(reason=str(error)[:_REASON_CHARACTERS])
        return SuiteAnswer(execution_id=execution_id)

    def _hear(self, run: ExperimentRun) -> None:
        """Verdicts of what was started, of earlier phases too: their monitor may still wait."""
        for each in self.artifacts.list_objects(layout.suites_prefix(run.run_id), limit=_MOST_ANSWERS):
            answer = self._read(each.key)
            if answer is None or answer.execution_id is None or answer.verdict is not None:
                continue
            try:
                found = self.suites.verdict(answer.execution_id)
            except NotFoundError as error:
                self._write(each.key, SuiteAnswer(reason=str(error)[:_REASON_CHARACTERS]))
                continue
            if found is not None:
                verdict, reason = found
                changes = {"verdict": verdict, "reason": reason[:_REASON_CHARACTERS]}
                self._write(each.key, answer.model_copy(update=changes))

    def _read(self, key: str) -> SuiteAnswer | None:
        try:
            return SuiteAnswer.model_validate_json(self.artifacts.get(key, limit_bytes=_ANSWER_BYTES))
        except NotFoundError:
            return None

    def _write(self, key: str, answer: SuiteAnswer) -> None:
        self.artifacts.put(key, answer.to_wire().encode(), content_type="application/json")


def _wanted(run: ExperimentRun, phase: PhaseRecord, probes: list[SuiteProbe]) -> Iterator[SuiteProbe]:
    """What is taken now: before the faults while the run is not aborted, in a step while its faults are in, after their undoing."""
    now = {
        Phase.BEFORE: run.abort is None and run.state is RunState.PREFLIGHT_CHECK,
        Phase.DURING: run.abort is None and phase.until is not None,
        Phase.AFTER: run.state is RunState.RECOVERY and phase.undone_at is not None,
    }
    return (probe for probe in probes if now[phase.phase] and phase.phase in probe.phases)
