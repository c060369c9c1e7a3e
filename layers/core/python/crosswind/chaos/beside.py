"""What the chaos area needs of suites' runs whose stages experiments accompany: a port and its values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crosswind.chaos.model import ExperimentRun
from crosswind.contracts.chaos.lifecycle import ExperimentVerdict, RunState
from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.suites import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBeside:
    """A stage of a suite's run that an experiment accompanies."""

    run_id: str
    team: str
    stage: int
    name: str
    round: int
    experiment: str
    parameters: Mapping[str, Scalar]
    actor: str  # who submitted the run
    issuer: str
    experiment_run: str | None
    is_due: bool  # the stage has begun, has not ended, and a delay is over
    is_over: bool  # the stage or its run has ended, or was cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideNews:
    """What a suite's run is told of the experiment beside one of its stages."""

    experiment_run: str | None
    state: RunState | None
    verdict: ExperimentVerdict | None
    reason: str | None
    injected_at: datetime | None
    removed_at: datetime | None


class SuiteRuns(Protocol):
    """Runs of suites, as far as experiments accompany them; bootstrap puts the runs area's rules behind it."""

    def stages(self, run_id: str) -> Sequence[StageBeside]:
        """Those of which something may still become, in their order; none where the run is gone."""
        ...

    def tell(self, stage: StageBeside, news: BesideNews) -> StageBeside:
        """Note it with the run; the stage as it is then. News without an experiment's run mean that there will be none."""
        ...


class ProbeSuites(Protocol):
    """Stored suites as probes; bootstrap puts the runs area's use cases behind it."""

    def start(
        self, run: ExperimentRun, suite: str, parameters: Mapping[str, Scalar], *, cause: str, key: str
    ) -> str:
        """Submit a run of a suite of the experiment's team; its id. Repeating the key gives the earlier run.

        Raises TerminalError where it cannot run, and RetryableError.
        """
        ...

    def verdict(self, execution_id: str) -> tuple[VerdictKind, str] | None:
        """The verdict with its sentence; None while there is none. Raises NotFoundError."""
        ...
