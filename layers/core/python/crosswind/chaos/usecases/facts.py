"""What the gate knows by itself: the environments' policies, and incidents that people and CI tell of."""

from dataclasses import dataclass

from crosswind.chaos.model import Incident
from crosswind.chaos.policies import Policies, check_policy, environment_named, version_of
from crosswind.chaos.ports import FactStore, StoredPolicy
from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.chaos.gate import (
    ChaosPolicy,
    IncidentAccepted,
    IncidentState,
    PolicyList,
    PolicyView,
    RecordIncidentRequest,
)
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import FieldError, InvalidInputError


@dataclass(frozen=True)
class ListPolicies:
    """Read every stored policy."""

    facts: FactStore
    guard: Guard

    def __call__(self, *, actor: Actor) -> PolicyList:
        """By environment. Raises ForbiddenError."""
        self.guard.require_anywhere(actor, Action.READ_EXPERIMENTS)
        stored = sorted(self.facts.policies(), key=lambda each: each.environment)
        return PolicyList(items=tuple(_view(each) for each in stored))


@dataclass(frozen=True)
class GetPolicy:
    """Read an environment's policy."""

    policies: Policies
    guard: Guard

    def __call__(self, environment: str, *, actor: Actor) -> PolicyView:
        """The stored policy, or the default, which has no `updatedAt`. Raises ForbiddenError."""
        self.guard.require_anywhere(actor, Action.READ_EXPERIMENTS)
        return _view(self.policies.of(environment))


@dataclass(frozen=True)
class PutPolicy:
    """Store or replace an environment's policy."""

    facts: FactStore
    guard: Guard
    clock: Clock

    def __call__(self, environment: str, document: ChaosPolicy, *, actor: Actor) -> PolicyView:
        """What holds from now on; runs that go on are judged by it, too.

        Raises InvalidInputError with every fault, ForbiddenError.
        """
        self.guard.require_anywhere(actor, Action.SET_POLICIES)
        if document.metadata.name != environment:
            fault = FieldError("metadata.name", f"is {document.metadata.name}", environment)
            raise InvalidInputError("the policy is of another environment than the address", [fault])
        check_policy(document.spec)
        policy = StoredPolicy(
            environment=environment,
            version=version_of(document.spec),
            spec=document.spec,
            updated_at=self.clock.now(),
            updated_by=actor.subject,
        )
        self.facts.put_policy(policy)
        return _view(policy)


@dataclass(frozen=True)
class RecordIncident:
    """Keep that an incident began or ended. Only the team that told of it ends it."""

    facts: FactStore
    guard: Guard
    clock: Clock

    def __call__(self, request: RecordIncidentRequest, *, actor: Actor) -> IncidentAccepted:
        """Raises InvalidInputError, ForbiddenError."""
        team = chosen_team(actor, request.team)
        self.guard.require(actor, Action.RECORD_DEPLOYMENTS, team=team)
        self.facts.put_incident(
            Incident(
                id=request.id,
                team=team,
                environment=environment_named(request.environment),
                title=request.title,
                open=request.state is IncidentState.OPEN,
                told_by=actor.subject,
                told_at=self.clock.now(),
                service=request.service,
            )
        )
        return IncidentAccepted(id=request.id, state=request.state)


def _view(policy: StoredPolicy) -> PolicyView:
    return PolicyView(
        environment=policy.environment,
        version=policy.version,
        updated_at=to_iso(policy.updated_at) if policy.updated_at else None,
        updated_by=policy.updated_by,
        spec=policy.spec,
    )
