"""Definitions: store, edit, delete, and when they start by themselves."""

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from crosswind.chaos import lifecycle, reviewing
from crosswind.chaos.model import Experiment
from crosswind.chaos.ports import ExperimentRunStore, ExperimentStore
from crosswind.chaos.reviewing import Content
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import bind_parameters, parse_experiment, spec_digest
from crosswind.chaos.usecases.finding import FindExperiment
from crosswind.chaos.when import next_start
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.runs import ScheduleRequest
from crosswind.contracts.chaos.spec import ChaosExperiment
from crosswind.contracts.moments import MomentError, read_moment
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError, FieldError, InvalidInputError
from crosswind.kernel.retry import Pause, retry_conflicts

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class PutExperiment:
    """Store a definition, or edit it: another content is a new draft, and nothing starts until that is approved."""

    experiments: ExperimentStore
    guard: Guard
    rules: Rules
    clock: Clock
    pause: Pause

    def __call__(self, text: str | bytes, *, name: str | None, actor: Actor) -> tuple[Experiment, bool]:
        """The definition, and whether it is new. Without a name from the address it has to be new.

        Raises:
            InvalidInputError: The text has faults, or another name than the address.
            ForbiddenError: The actor may not write experiments of this team.
            ConflictError: The name is taken, and it was not addressed.
            TooLargeError: The text is too long.
        """
        written = parse_experiment(text, rules=self.rules)
        self.guard.require(actor, Action.WRITE_EXPERIMENTS, team=written.metadata.team)
        if name not in {None, written.metadata.name}:
            told = f"is {written.metadata.name!r}, but the address says {name!r}"
            fault = FieldError("metadata.name", told, "the same name")
            raise InvalidInputError("the experiment has another name than its address", [fault])
        return retry_conflicts(
            lambda: self._store(written, actor=actor.subject, only_new=name is None), pause=self.pause
        )

    def _store(self, written: ChaosExperiment, *, actor: str, only_new: bool) -> tuple[Experiment, bool]:
        team, name, now = written.metadata.team, written.metadata.name, self.clock.now()
        content = Content(written.spec, spec_digest(written.spec), written.metadata.labels)
        earlier = self.experiments.find(team, name)
        if earlier is None:
            number = self.experiments.last_revision(team, name) + 1
            made = reviewing.create(content, team=team, name=name, number=number, actor=actor, now=now)
            return self.experiments.save(made.experiment, event=made.event), True
        if only_new:
            raise ConflictError(f"team {team} has an experiment {name} already; PUT edits it")
        edited = reviewing.edit(earlier, content, actor=actor, now=now)
        if edited is not None:
            return self.experiments.save(edited.experiment, event=edited.event), False
        if dict(earlier.labels) == dict(content.labels):
            return earlier, False
        return self.experiments.save(replace(earlier, labels=dict(content.labels))), False


@dataclass(frozen=True)
class DeleteExperiment:
    """Delete a definition. Its revisions and runs stay."""

    experiments: ExperimentStore
    runs: ExperimentRunStore
    find: FindExperiment
    pause: Pause

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> None:
        """Raises NotFoundError, ForbiddenError, and ConflictError while one of its runs goes on."""
        retry_conflicts(lambda: self._delete(name, team, actor), pause=self.pause)

    def _delete(self, name: str, team: str | None, actor: Actor) -> None:
        found = self.find(name, team=team, actor=actor, action=Action.WRITE_EXPERIMENTS)
        for run in self.runs.unfinished():
            if (run.team, run.experiment) == (found.team, name):
                raise ConflictError(f"{run.run_id} of it is {run.state.value}: abort it, or wait for its end")
        self.experiments.delete(found.team, name, version=found.version)


@dataclass(frozen=True)
class ScheduleExperiment:
    """Say when the approved revision starts by itself: at one moment, by its own schedule, or not at all."""

    experiments: ExperimentStore
    find: FindExperiment
    clock: Clock
    pause: Pause

    def __call__(self, name: str, request: ScheduleRequest, *, team: str | None, actor: Actor) -> Experiment:
        """The definition as it is then.

        Raises:
            NotFoundError, ForbiddenError: As for reading, and for starting.
            InvalidInputError: The moment or the parameters do not fit.
            ConflictError: It is not approved, or has no schedule of its own.
        """
        return retry_conflicts(lambda: self._schedule(name, request, team, actor), pause=self.pause)

    def _schedule(self, name: str, request: ScheduleRequest, team: str | None, actor: Actor) -> Experiment:
        found = self.find(name, team=team, actor=actor, action=Action.START_EXPERIMENTS)
        if request.paused:
            _refuse_both(request)
            return self.experiments.save(replace(found, paused=True))
        revision = found.revision
        what = f"revision {revision.number} of {name}"
        lifecycle.check_action(revision.state, "start", what=what)
        parameters = dict(request.parameters)
        bind_parameters(revision.spec, parameters)
        scheduled = replace(
            found, paused=False, next_start=self._next(found, request), start_parameters=parameters
        )
        return self.experiments.save(scheduled)

    def _next(self, experiment: Experiment, request: ScheduleRequest) -> datetime | None:
        now, when = self.clock.now(), experiment.revision.spec.schedule
        if request.at is not None:
            return _moment(request.at, now)
        if when is None:
            raise ConflictError(f"{experiment.name} has no schedule of its own: give `at`, or add one to it")
        found = next_start(when, after=now)
        if found is None and when.on_event is None:
            raise ConflictError(f"the schedule of {experiment.name} has no moment that is still to come")
        return found


def _moment(text: str, now: datetime) -> datetime:
    try:
        moment = read_moment(text, _UTC)
    except MomentError as error:
        raise InvalidInputError(str(error), [FieldError("at", str(error), error.expected)]) from None
    if moment is None or moment <= now:
        raise InvalidInputError("`at` is over", [FieldError("at", "is not after now", "a moment to come")])
    return moment


def _refuse_both(request: ScheduleRequest) -> None:
    if request.at is not None or request.parameters:
        fault = FieldError("paused", "stands beside a start", "only `paused`, or only what is to start")
        raise InvalidInputError("it cannot be paused and scheduled at once", [fault])
