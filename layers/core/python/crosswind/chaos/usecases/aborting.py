"""Aborting runs: by people, the halt switch, and a suite's end."""

from collections.abc import Callable
from dataclasses import dataclass

from crosswind.chaos import lifecycle
from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.ports import ExperimentRunStore
from crosswind.chaos.usecases.finding import ANY, FindRun
from crosswind.chaos.usecases.recording import UNSTARTED, RecordAbort
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.lifecycle import AbortCause
from crosswind.contracts.chaos.runs import AbortRequest
from crosswind.contracts.permissions import Guard, chosen_team

CloseUnstarted = Callable[[str], object]
"""Brings a run that no execution carries through its recovery to its analysis. Safe to repeat."""


@dataclass(frozen=True)
class AbortRun:
    """Abort one run, whoever carries it: the record comes first, then whoever carries it hears of it."""

    record: RecordAbort
    close_unstarted: CloseUnstarted
    runs: ExperimentRunStore

    def __call__(self, run: ExperimentRun, *, cause: AbortCause, reason: str, by: str) -> ExperimentRun:
        """The run as it is then. Safe to repeat; nothing happens to one that is over. Raises RetryableError."""
        recorded = self.record(run.run_id, cause=cause, reason=reason, by=by)
        if recorded.abort is not None and recorded.state in UNSTARTED:
            self.close_unstarted(run.run_id)
            return self.runs.get(run.run_id)
        return recorded


@dataclass(frozen=True)
class AbortExperiment:
    """Abort a run of an experiment, or every one that goes on."""

    runs: ExperimentRunStore
    find: FindRun
    abort: AbortRun
    guard: Guard

    def __call__(
        self, name: str, request: AbortRequest, *, team: str | None, actor: Actor
    ) -> tuple[ExperimentRun, ...]:
        """The runs that were told.

        Raises:
            NotFoundError: There is no such run, or the experiment never ran.
            ForbiddenError: The actor may not abort experiments of the team.
            ConflictError: The run that was named is past aborting; what is injected is being undone already.
        """
        action = Action.ABORT_EXPERIMENTS
        if request.run_id is not None:
            run = self.find(request.run_id, experiment=name, team=team, actor=actor, action=action)
            if run.abort is None:
                lifecycle.check_action(run.state, "abort", what=run.run_id)
            return (self._told(run, request, actor),)
        chosen = chosen_team(actor, team)
        self.guard.require(actor, action, team=chosen)
        going_on = [
            run
            for run in self.runs.unfinished()
            if run.team == chosen
            and name in {ANY, run.experiment}
            and "abort" in lifecycle.actions(run.state)
        ]
        if not going_on and name != ANY:  # a name that is mistyped must not look like one that is quiet
            self.find.newest(experiment=name, run_id=None, team=chosen, actor=actor)
        return tuple(self._told(run, request, actor) for run in going_on)

    def _told(self, run: ExperimentRun, request: AbortRequest, actor: Actor) -> ExperimentRun:
        return self.abort(run, cause=AbortCause.ACTOR, reason=request.reason, by=actor.subject)
