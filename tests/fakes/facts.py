"""What the gate knows by itself, in memory; and a safety lever."""

from dataclasses import dataclass, field
from datetime import datetime

from crosswind.chaos.model import DeploymentFact, Halt, Incident
from crosswind.chaos.ports import StoredPolicy


@dataclass
class MemoryFactStore:
    """FactStore in memory. Set `fault` to let every call fail."""

    stored_policies: dict[str, StoredPolicy] = field(default_factory=dict)
    switch: Halt | None = None
    incidents: dict[tuple[str, str, str], Incident] = field(default_factory=dict)
    deployments: dict[tuple[str, str], DeploymentFact] = field(default_factory=dict)
    fault: Exception | None = None

    def policy(self, environment: str) -> StoredPolicy | None:
        self._fail()
        return self.stored_policies.get(environment)

    def put_policy(self, policy: StoredPolicy) -> None:
        self._fail()
        self.stored_policies[policy.environment] = policy

    def policies(self) -> tuple[StoredPolicy, ...]:
        self._fail()
        return tuple(self.stored_policies.values())

    def halt(self) -> Halt | None:
        self._fail()
        return self.switch

    def set_halt(self, halt: Halt) -> None:
        self._fail()
        self.switch = halt

    def clear_halt(self) -> None:
        self._fail()
        self.switch = None

    def put_incident(self, incident: Incident) -> None:
        self._fail()
        self.incidents[incident.environment, incident.team, incident.id] = incident

    def open_incidents(self, environment: str) -> tuple[Incident, ...]:
        self._fail()
        return tuple(
            each for each in self.incidents.values() if each.environment == environment and each.open
        )

    def put_deployment(self, fact: DeploymentFact) -> None:
        self._fail()
        self.deployments.setdefault((fact.environment, fact.id), fact)

    def deployments_since(self, environment: str, since: datetime) -> tuple[DeploymentFact, ...]:
        self._fail()
        return tuple(
            each for each in self.deployments.values() if each.environment == environment and each.at >= since
        )

    def _fail(self) -> None:
        if self.fault is not None:
            raise self.fault


@dataclass
class MemoryLever:
    """SafetyLever in memory; `answers` instead of its state while it is set."""

    state: str = "disengaged"
    answers: str | None = None

    def engage(self, reason: str) -> str:
        return self._set("engaged")

    def disengage(self, reason: str) -> str:
        return self._set("disengaged")

    def _set(self, state: str) -> str:
        if self.answers is None:
            self.state = state
        return self.answers or self.state
