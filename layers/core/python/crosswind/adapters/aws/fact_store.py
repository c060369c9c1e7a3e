"""What the gate knows by itself, in the chaos table: policies, the halt switch, incidents and deployments that were told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, from_item, iso, moment, to_item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, expect
from crosswind.adapters.aws.keys import Key, key
from crosswind.adapters.aws.work_items import expires_at
from crosswind.chaos.model import DeploymentFact, Halt, Incident
from crosswind.chaos.ports import StoredPolicy
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.kernel.clock import from_iso, to_iso

DEPLOYMENTS_LAST = timedelta(days=8)  # a day longer than any policy asks for
RESOLVED_LASTS = timedelta(days=30)

_POLICIES = "POLICIES"
_HALT = "HALT"


@dataclass(frozen=True)
class DynamoFactStore:
    """FactStore on the chaos table; everything is read consistently."""

    dynamo: Dynamo
    table: str

    def policy(self, environment: str) -> StoredPolicy | None:
        item = self.dynamo.get(self.table, _policy_key(environment))
        return _read_policy(item) if item else None

    def put_policy(self, policy: StoredPolicy) -> None:
        self.dynamo.put(self.table, _policy_item(policy))

    def policies(self) -> tuple[StoredPolicy, ...]:
        return tuple(_read_policy(each) for each in self._partition(_POLICIES))

    def halt(self) -> Halt | None:
        item = self.dynamo.get(self.table, key(_HALT, _HALT))
        if item is None:
            return None
        values = from_item(item)
        return Halt(
            reason=values["reason"],
            by=values["by"],
            at=from_iso(values["at"]),
            safety_lever=values["safetyLever"],
        )

    def set_halt(self, halt: Halt) -> None:
        values = {
            "schema": SCHEMA,
            "reason": halt.reason,
            "by": halt.by,
            "at": to_iso(halt.at),
            "safetyLever": halt.safety_lever,
        }
        self.dynamo.put(self.table, key(_HALT, _HALT) | to_item(values))

    def clear_halt(self) -> None:
        self.dynamo.delete(self.table, key(_HALT, _HALT))

    def put_incident(self, incident: Incident) -> None:
        self.dynamo.put(self.table, _incident_item(incident))

    def open_incidents(self, environment: str) -> tuple[Incident, ...]:
        known = map(_read_incident, self._partition(_incidents(environment)))
        return tuple(each for each in known if each.open)

    def put_deployment(self, fact: DeploymentFact) -> None:
        try:
            self.dynamo.put(self.table, _deployment_item(fact), **expect(None))
        except ConditionFailedError:
            return  # told again: the moment of the first time stands

    def deployments_since(self, environment: str, since: datetime) -> tuple[DeploymentFact, ...]:
        known = map(_read_deployment, self._partition(_deployments(environment)))
        return tuple(each for each in known if each.at >= since)

    def _partition(self, pk: str) -> list[Item]:
        query: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }
        return [item for page in self.dynamo.query(self.table, **query) for item in page["Items"]]


def _policy_key(environment: str) -> Key:
    return key(_POLICIES, f"ENVIRONMENT#{environment}")


def _incidents(environment: str) -> str:
    return f"INCIDENTS#{environment}"


def _deployments(environment: str) -> str:
    return f"DEPLOYMENTS#{environment}"


def _policy_item(policy: StoredPolicy) -> Item:
    return _policy_key(policy.environment) | to_item(
        {
            "schema": SCHEMA,
            "environment": policy.environment,
            "policyVersion": policy.version,
            "spec": policy.spec.to_wire(),
            "updatedAt": iso(policy.updated_at),
            "updatedBy": policy.updated_by,
        }
    )


def _read_policy(item: Item) -> StoredPolicy:
    values = from_item(item)
    return StoredPolicy(
        environment=values["environment"],
        version=values["policyVersion"],
        spec=PolicySpec.model_validate_json(values["spec"]),
        updated_at=moment(values.get("updatedAt")),
        updated_by=values.get("updatedBy"),
    )


def _incident_item(incident: Incident) -> Item:
    until = None if incident.open else expires_at(incident.told_at + RESOLVED_LASTS)
    return key(_incidents(incident.environment), f"{incident.team}#{incident.id}") | to_item(
        {
            "schema": SCHEMA,
            "id": incident.id,
            "team": incident.team,
            "environment": incident.environment,
            "title": incident.title,
            "open": incident.open,
            "toldBy": incident.told_by,
            "toldAt": to_iso(incident.told_at),
            "service": incident.service,
            "expiresAt": until,
        }
    )


def _read_incident(item: Item) -> Incident:
    values = from_item(item)
    return Incident(
        id=values["id"],
        team=values["team"],
        environment=values["environment"],
        title=values["title"],
        open=values["open"],
        told_by=values["toldBy"],
        told_at=from_iso(values["toldAt"]),
        service=values.get("service"),
    )


def _deployment_item(fact: DeploymentFact) -> Item:
    return key(_deployments(fact.environment), fact.id) | to_item(
        {
            "schema": SCHEMA,
            "id": fact.id,
            "team": fact.team,
            "service": fact.service,
            "environment": fact.environment,
            "version": fact.version,
            "toldBy": fact.told_by,
            "at": to_iso(fact.at),
            "expiresAt": expires_at(fact.at + DEPLOYMENTS_LAST),
        }
    )


def _read_deployment(item: Item) -> DeploymentFact:
    values = from_item(item)
    return DeploymentFact(
        team=values["team"],
        service=values["service"],
        environment=values["environment"],
        version=values["version"],
        told_by=values["toldBy"],
        at=from_iso(values["at"]),
        id=values["id"],
    )
