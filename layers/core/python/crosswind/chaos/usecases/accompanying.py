"""Experiments beside the stages of suites' runs: started when a stage begins, stopped when it ends, told to the run.

Called for each event that may change something. What is to be done is read from the records, not from the event, so that
events may come late, twice and in any order.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from crosswind.chaos.beside import BesideNews, StageBeside, SuiteRuns
from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.ports import ExperimentRunStore
from crosswind.chaos.usecases.recording import ABORTABLE
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.lifecycle import AbortCause, FaultState, RunState
from crosswind.contracts.events import DomainEvent, ExperimentFinished, RunFinished, StageMoved
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import TerminalError

BY = "crosswind"
_IN_DOUBT = frozenset({FaultState.INJECTING, FaultState.ACTIVE, FaultState.UNKNOWN})

_log = logging.getLogger(__name__)


class StartBeside(Protocol):
    """StartExperiment, for a suite's run."""

    def __call__(
        self,
        team: str,
        name: str,
        *,
        parameters: Mapping[str, Scalar],
        actor: Actor,
        trigger: str | None,
        idempotency_key: str | None,
        parent_run: str | None,
    ) -> tuple[ExperimentRun, bool]: ...


class Abort(Protocol):
    """AbortRun."""

    def __call__(self, run: ExperimentRun, *, cause: AbortCause, reason: str, by: str) -> ExperimentRun: ...


@dataclass(frozen=True)
class AccompanyRuns:
    """Bring the experiments beside a run's stages to where the run is."""

    suites: SuiteRuns
    runs: ExperimentRunStore
    start: StartBeside
    abort: Abort

    def all(self, events: Sequence[DomainEvent]) -> list[int]:
        """Look at each event's run; the positions of those that are to be delivered again."""
        failed = []
        for position, event in enumerate(events):
            run_id = accompanied(event)
            try:
                if run_id is not None:
                    self(run_id)
            except Exception:  # noqa: BLE001  # also a fault that nobody foresaw is one run's own
                _log.exception("the experiments beside %s could not be brought on", run_id)
                failed.append(position)
        return failed

    def __call__(self, run_id: str) -> None:
        """Safe to repeat. Raises RetryableError."""
        for stage in self.suites.stages(run_id):
            self._bring_on(stage)

    def _bring_on(self, stage: StageBeside) -> None:
        run = self._run_of(stage)
        if run is None:
            return
        stage = self._tell(
            stage, run
        )  # the answer says whether the stage ended while its experiment was started
        if stage.is_over and run.state in ABORTABLE and run.abort is None:
            reason = f"stage {stage.name!r} of {stage.run_id} is over"
            self._tell(stage, self.abort(run, cause=AbortCause.SUITE_ENDED, reason=reason, by=BY))

    def _run_of(self, stage: StageBeside) -> ExperimentRun | None:
        if stage.experiment_run is not None:
            return self.runs.get(stage.experiment_run)
        if not stage.is_due:
            return None
        try:
            run, _ = self.start(
                stage.team,
                stage.experiment,
                parameters=stage.parameters,
                actor=_submitter(stage),
                trigger=f"{stage.run_id}, stage {stage.name!r}",
                idempotency_key=f"stage/{stage.run_id}/{stage.round}/{stage.stage}",
                parent_run=stage.run_id,
            )
        except TerminalError as error:
            self.suites.tell(stage, _refused(str(error)))
            return None
        return run

    def _tell(self, stage: StageBeside, run: ExperimentRun) -> StageBeside:
        injections = self.runs.injections(run.run_id)
        went_in = [each.injected_at for each in injections if each.injected_at is not None]
        gone = [each.removed_at for each in injections if each.removed_at is not None]
        in_doubt = any(each.state in _IN_DOUBT for each in injections)
        news = BesideNews(
            experiment_run=run.run_id,
            state=run.state,
            verdict=run.verdict,
            reason=_reason(run),
            injected_at=min(went_in, default=None),
            removed_at=None if in_doubt else max(gone, default=None),
        )
        return self.suites.tell(stage, news)


def accompanied(event: DomainEvent) -> str | None:
    """The suite's run that an event may matter to."""
    match event.detail:
        case StageMoved() | RunFinished() as moved:
            return moved.run_id
        case ExperimentFinished() as finished:
            return finished.parent_run
        case _:
            return None


def _submitter(stage: StageBeside) -> Actor:
    """Who submitted the run; what it may do was asked then, and that it may start is the approval's and the gate's."""
    return Actor(subject=stage.actor, issuer=stage.issuer, teams=(stage.team,), roles=(Role.RUNNER,))


def _reason(run: ExperimentRun) -> str | None:
    if run.verdict is not None:
        return run.reason
    if run.abort is not None:
        return run.abort.reason
    return run.decision.reason if run.state is RunState.BLOCKED and run.decision is not None else None


def _refused(why: str) -> BesideNews:
    return BesideNews(
        experiment_run=None, state=None, verdict=None, reason=why, injected_at=None, removed_at=None
    )
