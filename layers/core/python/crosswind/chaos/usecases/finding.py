"""Finding what a call is about, and answering for another team as if it were not there."""

from dataclasses import dataclass

from crosswind.chaos.model import Experiment, ExperimentRun
from crosswind.chaos.ports import ExperimentRunStore, ExperimentStore, RunFilter
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.kernel.errors import NotFoundError

ANY = "-"  # in the place of an experiment's name


@dataclass(frozen=True)
class FindExperiment:
    """A definition that the actor may do this with."""

    experiments: ExperimentStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor, action: Action) -> Experiment:
        """Read consistently. Raises NotFoundError, ForbiddenError, InvalidInputError."""
        chosen = chosen_team(actor, team)
        self.guard.require(actor, action, team=chosen)
        found = self.experiments.find(chosen, name)
        if found is None:
            raise NotFoundError(missing(name, chosen))
        return found


@dataclass(frozen=True)
class FindRun:
    """A run that the actor may do this with."""

    runs: ExperimentRunStore
    guard: Guard

    def __call__(
        self, run_id: str, *, experiment: str, team: str | None, actor: Actor, action: Action
    ) -> ExperimentRun:
        """By its id; `-` as the experiment finds it whatever it is of. Raises NotFoundError, ForbiddenError."""
        absent = f"there is no run {run_id}"
        run = self.runs.get(run_id)
        self.guard.require_for(actor, action, team=run.team, missing=absent)
        if team not in {None, run.team} or experiment not in {ANY, run.experiment}:
            raise NotFoundError(absent)
        return run

    def newest(self, *, experiment: str, run_id: str | None, team: str | None, actor: Actor) -> ExperimentRun:
        """The run that is named, or else the experiment's newest, to read it."""
        action = Action.READ_EXPERIMENTS
        if run_id is not None:
            return self(run_id, experiment=experiment, team=team, actor=actor, action=action)
        chosen = chosen_team(actor, team)
        self.guard.require(actor, action, team=chosen)
        wanted = RunFilter(chosen, experiment=None if experiment == ANY else experiment)
        cursor: str | None = None
        while True:
            page = self.runs.list_runs(wanted, limit=1, cursor=cursor)
            if page.items:
                return page.items[0]
            cursor = page.cursor
            if cursor is None:
                raise NotFoundError(f"experiment {experiment} of team {chosen} never ran")


def missing(name: str, team: str) -> str:
    """The sentence for a definition that is not there."""
    return f"there is no experiment {name} in team {team}"


def superseded(experiments: ExperimentStore, run: ExperimentRun) -> str:
    """Why the approvals of a run's revision count no more, although they are stored with it; empty where they may."""
    found = experiments.find(run.team, run.experiment)
    if found is None:
        return f"experiment {run.experiment} was deleted"
    return replaced(run.revision, newest=found.revision.number)


def replaced(number: int, *, newest: int) -> str:
    """The sentence for a revision that was edited since; empty for the newest one."""
    if number == newest:
        return ""
    return f"revision {newest} replaced revision {number}, and an edit voids the approvals of what was before"
