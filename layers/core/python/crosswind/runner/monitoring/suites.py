"""Probes that are suites of Crosswind's own: the engine runs them, for a monitor has no say in the API."""

import time
from dataclasses import dataclass

from crosswind.chaos import layout
from crosswind.contracts.chaos.monitoring import SuiteAnswer
from crosswind.contracts.chaos.probes import Phase, SuiteProbe
from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.errors import NotFoundError, RetryableError
from crosswind.runner.faults import Interruption
from crosswind.runner.monitoring.measuring import Measured, UnmeasurableError
from crosswind.runs.ports import ObjectStore

READ_SECONDS = 1.0
_ANSWER_BYTES = 64 * 1024
_SAYS_SOMETHING = frozenset({VerdictKind.PASSED, VerdictKind.FAILED})


@dataclass(frozen=True)
class SuiteProbes:
    """Waits for the answer that the engine leaves in the artifacts bucket."""

    run_id: str
    artifacts: ObjectStore
    interruption: Interruption

    def take(self, probe: SuiteProbe, phase: Phase, step: int) -> Measured:
        """The verdict; well where it passed. One that says nothing of the tests is unknown. Raises UnmeasurableError."""
        key = layout.suite_answer_key(self.run_id, probe.name, phase, step)
        until = time.monotonic() + duration_seconds(probe.timeout)
        while time.monotonic() < until:
            self.interruption.check()
            answer = self._read(key)
            if answer is not None and answer.verdict in _SAYS_SOMETHING:
                detail = f"{answer.execution_id} {answer.verdict}: {answer.reason}"
                return Measured(
                    answer.verdict.value, well=answer.verdict is VerdictKind.PASSED, detail=detail
                )
            if answer is not None and (answer.verdict is not None or answer.execution_id is None):
                ended = answer.verdict.value if answer.verdict else "was not started"
                raise UnmeasurableError(f"suite {probe.suite} {ended}: {answer.reason}")
            self.interruption.wait(READ_SECONDS)
        raise UnmeasurableError(f"suite {probe.suite} had no verdict within {probe.timeout}")

    def _read(self, key: str) -> SuiteAnswer | None:
        try:
            return SuiteAnswer.model_validate_json(self.artifacts.get(key, limit_bytes=_ANSWER_BYTES))
        except (NotFoundError, RetryableError):
            return None
