"""Triggers: put, get, list, delete; and recording the deployments that some of them wait for."""

import logging
from dataclasses import dataclass

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.events import DeploymentRecorded, DomainEvent
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.contracts.schedules import MAX_TRIGGERS, RecordDeploymentRequest
from crosswind.contracts.schedules import Trigger as TriggerDocument
from crosswind.kernel import json
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import ConflictError, NotFoundError, RetryableError
from crosswind.kernel.ids import Ids
from crosswind.kernel.paging import Page
from crosswind.runs.ports import DocumentStore, EventBus, RunStore
from crosswind.runs.schedules import triggering
from crosswind.runs.schedules.model import Trigger
from crosswind.runs.schedules.ports import Deployments, GateFacts, TriggerStore
from crosswind.runs.usecases.storing import name_differs
from crosswind.runs.usecases.submitting import check_key

_DIGEST_CHARACTERS = 26

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PutTrigger:
    """Store or replace a trigger."""

    triggers: TriggerStore
    suites: DocumentStore
    guard: Guard
    clock: Clock

    def __call__(self, name: str, document: TriggerDocument, *, actor: Actor) -> tuple[Trigger, bool]:
        """The trigger, and whether it is new.

        Raises InvalidInputError, ForbiddenError, NotFoundError (no such suite), ConflictError (as many as a team may have).
        """
        team, spec = document.metadata.team, document.spec
        self.guard.require(actor, Action.WRITE_SCHEDULES, team=team)
        if document.metadata.name != name:
            raise name_differs("trigger", document.metadata.name, name)
        triggering.check(spec)
        self.suites.get(team, spec.suite)
        earlier = self.triggers.find(team, name)
        if earlier is None and sum(1 for _ in self.triggers.of_team(team)) >= MAX_TRIGGERS:
            raise ConflictError(f"team {team} has {MAX_TRIGGERS} triggers already; delete one first")
        trigger = Trigger(
            team=team,
            name=name,
            event=spec.on.type,
            suite=spec.suite,
            owner=actor.subject,
            updated_at=self.clock.now(),
            of_suite=spec.on.suite,
            of_verdicts=spec.on.verdicts,
            of_service=spec.on.service,
            of_environment=spec.on.environment,
            labels=document.metadata.labels,
            parameters=spec.parameters,
            priority=spec.priority,
            paused=spec.paused,
            allow_repeat=spec.allow_repeat,
            last=earlier.last if earlier else None,
        )
        return trigger, self.triggers.put(trigger)


@dataclass(frozen=True)
class GetTrigger:
    """Read one trigger."""

    triggers: TriggerStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> Trigger:
        """The trigger. Raises NotFoundError, also for one of another team."""
        owner = chosen_team(actor, team)
        missing = _missing(owner, name)
        self.guard.require_for(actor, Action.READ_SCHEDULES, team=owner, missing=missing)
        found = self.triggers.find(owner, name)
        if found is None:
            raise NotFoundError(missing)
        return found


@dataclass(frozen=True)
class ListTriggers:
    """Read a team's triggers."""

    triggers: TriggerStore
    guard: Guard

    def __call__(self, *, team: str | None, limit: int, cursor: str | None, actor: Actor) -> Page[Trigger]:
        """A page, by name. Raises ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_SCHEDULES, team=owner)
        return self.triggers.list_triggers(owner, limit=limit, cursor=cursor)


@dataclass(frozen=True)
class DeleteTrigger:
    """Delete a trigger; its runs stay."""

    triggers: TriggerStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> None:
        """Raises NotFoundError, ForbiddenError."""
        owner = chosen_team(actor, team)
        missing = _missing(owner, name)
        self.guard.require_for(actor, Action.WRITE_SCHEDULES, team=owner, missing=missing)
        if not self.triggers.delete(owner, name):
            raise NotFoundError(missing)


@dataclass(frozen=True)
class RecordDeployment:
    """Record that something was deployed, and tell the world: record and event in one transaction, then the event goes out.

    An event that could not be sent stays in the outbox, and the sweep of every minute sends it. The safety gate is told
    before the caller gets an answer: no experiment begins on a deployment that was accepted.
    """

    deployments: Deployments
    gate: GateFacts
    runs: RunStore
    bus: EventBus
    guard: Guard
    clock: Clock
    ids: Ids

    def __call__(
        self, request: RecordDeploymentRequest, *, actor: Actor, idempotency_key: str | None = None
    ) -> tuple[DomainEvent, bool]:
        """The event, and whether it is new. Raises InvalidInputError, ForbiddenError, ConflictError (the key was used for another)."""
        check_key(idempotency_key)
        team = chosen_team(actor, request.team)
        self.guard.require(actor, Action.RECORD_DEPLOYMENTS, team=team)
        now = self.clock.now()
        event = DomainEvent(
            id=self.ids.new(prefix="deploy", at=now)
            if idempotency_key is None
            else f"deploy-{_digest([team, actor.issuer, actor.subject, idempotency_key])}",
            type="platform.deployment.recorded.v1",
            occurred_at=to_iso(now),
            team=team,
            detail=DeploymentRecorded(
                team=team,
                service=request.service,
                environment=request.environment,
                version=request.version,
                commit=request.commit,
                actor=actor.subject,
            ),
        )
        created = self.deployments.record(event)
        if created:
            self._send(event)
        self.gate.tell(event)
        return event, created

    def _send(self, event: DomainEvent) -> None:
        try:
            self.bus.publish([event])
            self.runs.mark_sent(event.id)
        except RetryableError as error:
            _log.warning("event %s could not be sent; the sweep will: %s", event.id, error)


def _digest(values: list[str]) -> str:
    return json.digest(values).removeprefix("sha256:")[:_DIGEST_CHARACTERS]


def _missing(team: str, name: str) -> str:
    return f"team {team} has no trigger {name}"
