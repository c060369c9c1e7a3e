"""Starting a run of an approved revision: by a person, a schedule, an event or a suite's run."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from crosswind.chaos import lifecycle
from crosswind.chaos.model import Experiment, ExperimentRun, TimelineEvent
from crosswind.chaos.policies import Policies, needed
from crosswind.chaos.ports import ChaosQueues, Engine, ExperimentRunStore, ExperimentStore, FactStore
from crosswind.chaos.reviewing import counting
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import bind_parameters, put_in
from crosswind.chaos.stepping import steps
from crosswind.chaos.usecases.finding import missing
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.contracts.chaos.tasks import ExperimentInput
from crosswind.contracts.events import DomainEvent, ExperimentMoved
from crosswind.contracts.permissions import Guard
from crosswind.contracts.suites import Scalar
from crosswind.kernel import json
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import (
    ConflictError,
    FieldError,
    InvalidInputError,
    NotFoundError,
    RetryableError,
)
from crosswind.kernel.ids import IdempotencyKey, Ids

WATCH_SECONDS = 15
MAX_KEY_CHARACTERS = 255

_MACHINES = "\n"
"""Before the keys of schedules and events: no client can send it, and so nobody can use up the key of a run to come."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartExperiment:
    """Store a run, arm its watch, start its execution.

    The record is what counts. When the execution cannot be started the run is accepted all the same: its watch, armed
    before, starts it. Nothing is injected before the gate was asked; what is refused here would be refused there.
    """

    experiments: ExperimentStore
    runs: ExperimentRunStore
    facts: FactStore
    policies: Policies
    engine: Engine
    queues: ChaosQueues
    rules: Rules
    guard: Guard
    clock: Clock
    ids: Ids

    def __call__(
        self,
        team: str,
        name: str,
        *,
        parameters: Mapping[str, Scalar],
        actor: Actor,
        trigger: str | None = None,
        idempotency_key: str | None = None,
        parent_run: str | None = None,
    ) -> tuple[ExperimentRun, bool]:
        """The run, and whether it is new; with a known Idempotency-Key it is the earlier one.

        Args:
            trigger: Why a machine of the deployment starts it. Then nobody's roles are asked: that it starts so is part
                of what was approved.

        Raises:
            InvalidInputError: The parameters do not fit, or the environment's policy does not take the spec any more.
            ForbiddenError: The actor may not start experiments of this team.
            NotFoundError: There is no such experiment.
            ConflictError: It is not approved, its approvals have expired, everything is halted, or the key was used.
        """
        if trigger is None:
            self.guard.require(actor, Action.START_EXPERIMENTS, team=team)
        idempotency = _key(team, name, parameters, actor, idempotency_key, machine=trigger is not None)
        if idempotency is not None:
            earlier = self.runs.created_with(idempotency)
            if earlier is not None:
                return earlier, False
        experiment = self.experiments.find(team, name)
        if experiment is None:
            raise NotFoundError(missing(name, team))
        self._check(experiment)
        run = self._made(experiment, parameters, actor, trigger=trigger, parent_run=parent_run)
        stored, created = self.runs.create(
            run, idempotency=idempotency, timeline=(_line(run),), event=_event(run)
        )
        if created:
            self._start(stored)
        return stored, created

    def _check(self, experiment: Experiment) -> None:
        revision = experiment.revision
        what = f"revision {revision.number} of {experiment.name}"
        lifecycle.check_action(revision.state, "start", what=what)
        wanted = needed(self.policies.of(revision.spec.environment).spec, revision.spec)
        count = len(counting(revision, target_ids=(), now=self.clock.now()))
        if count < wanted:
            raise ConflictError(f"{count} of {wanted} approvals of {what} count now: have it approved again")
        halt = self.facts.halt()
        if halt is not None:
            raise ConflictError(f"everything is halted by {halt.by} since {to_iso(halt.at)}: {halt.reason}")

    def _made(
        self,
        experiment: Experiment,
        parameters: Mapping[str, Scalar],
        actor: Actor,
        *,
        trigger: str | None,
        parent_run: str | None,
    ) -> ExperimentRun:
        now, revision = self.clock.now(), experiment.revision
        values = bind_parameters(revision.spec, parameters)
        spec = put_in(revision.spec, values, team=experiment.team, rules=self.rules)
        return ExperimentRun(
            run_id=self.ids.new(prefix="exp", at=now),
            team=experiment.team,
            experiment=experiment.name,
            revision=revision.number,
            environment=spec.environment,
            service=spec.service,
            state=RunState.SCHEDULED,
            version=0,
            created_at=now,
            requested_by=actor.subject,
            spec=spec,
            spec_digest=revision.spec_digest,
            parameters=values,
            steps=len(steps(spec)),
            moved_at=now,
            trigger=trigger,
            parent_run=parent_run,
        )

    def _start(self, run: ExperimentRun) -> None:
        try:
            self.queues.watch(run.run_id, delay_seconds=WATCH_SECONDS)
            self.engine.start(f"{run.run_id}-p{run.attempt}", ExperimentInput(run_id=run.run_id))
        except RetryableError:
            _log.warning("%s is stored and will be started by its watch", run.run_id, exc_info=True)


def _key(
    team: str,
    name: str,
    parameters: Mapping[str, Scalar],
    actor: Actor,
    given: str | None,
    *,
    machine: bool,
) -> IdempotencyKey | None:
    if given is None:
        return None
    if not machine and not (0 < len(given) <= MAX_KEY_CHARACTERS and given.isprintable()):
        fault = FieldError("Idempotency-Key", "is no usable key", f"1 to {MAX_KEY_CHARACTERS} characters")
        raise InvalidInputError("the Idempotency-Key cannot be used", [fault])
    digest = json.digest([actor.issuer, actor.subject, name, dict(parameters)])
    return IdempotencyKey(team=team, key=f"{_MACHINES}{given}" if machine else given, request_digest=digest)


def _line(run: ExperimentRun) -> TimelineEvent:
    return TimelineEvent(
        at=run.created_at,
        kind=TimelineKind.MOVE,
        actor=run.requested_by,
        text=f"Scheduled: {_reason(run)}"[:1000],
        state=RunState.SCHEDULED,
    )


def _event(run: ExperimentRun) -> DomainEvent:
    detail = ExperimentMoved(
        experiment=run.experiment,
        team=run.team,
        environment=run.environment,
        revision=run.revision,
        run_id=run.run_id,
        service=run.service,
        move="start",
        from_state="Approved",
        to_state=RunState.SCHEDULED.value,
        actor=run.requested_by,
        reason=_reason(run)[:1000],
    )
    return lifecycle.told(f"{run.run_id}-1", detail, now=run.created_at)


def _reason(run: ExperimentRun) -> str:
    return f"revision {run.revision} is started{f' by {run.trigger}' if run.trigger else ''}"
