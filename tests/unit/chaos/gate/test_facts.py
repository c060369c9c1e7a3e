"""Policies, incidents and deployments as people and CI tell them."""

from typing import Any

import pytest

from crosswind.bootstrap.chaos_gate import _DeploymentFacts
from crosswind.chaos.policies import Policies, version_of
from crosswind.chaos.usecases.facts import GetPolicy, ListPolicies, PutPolicy, RecordIncident
from crosswind.contracts.actors import Role
from crosswind.contracts.chaos.gate import ChaosPolicy, IncidentState, RecordIncidentRequest
from crosswind.contracts.events import DeploymentRecorded, DomainEvent
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ForbiddenError, InvalidInputError
from crosswind.platform.access import decide
from tests.fakes import START, SettableClock
from tests.fakes.facts import MemoryFactStore
from tests.unit.chaos.gate.world import LOCAL, person, policy

ADMIN = person("root", Role.ADMIN)
EDITOR = person("ada", Role.EDITOR)
RUNNER = person("ci", Role.RUNNER)
VIEWER = person("vic", Role.VIEWER)
NOBODY = person("nobody")


@pytest.fixture
def facts() -> MemoryFactStore:
    return MemoryFactStore()


def document(name: str = "staging", **spec: Any) -> ChaosPolicy:
    return ChaosPolicy.model_validate(
        {
            "apiVersion": "crosswind.dev/v1",
            "kind": "ChaosPolicy",
            "metadata": {"name": name},
            "spec": policy(**spec).model_dump(),
        }
    )


def put(facts: MemoryFactStore, **spec: Any) -> None:
    PutPolicy(facts, Guard(decide), SettableClock())("staging", document(**spec), actor=ADMIN)


def test_an_admin_stores_a_policy_that_holds_from_then_on(facts: MemoryFactStore) -> None:
    get = GetPolicy(Policies(facts, "local"), Guard(decide))
    before = get("staging", actor=VIEWER)
    assert (before.updated_at, before.spec) == (None, LOCAL)
    put(facts, recheck="20s")
    after = get("staging", actor=VIEWER)
    assert (after.updated_at, after.updated_by) == (to_iso(START), "root")
    assert after.spec.recheck == "20s"
    assert after.version == version_of(after.spec) != before.version
    assert ListPolicies(facts, Guard(decide))(actor=VIEWER).items == (after,)


@pytest.mark.parametrize("actor", [EDITOR, RUNNER, VIEWER, NOBODY])
def test_nobody_else_stores_a_policy(facts: MemoryFactStore, actor: Any) -> None:
    with pytest.raises(ForbiddenError):
        PutPolicy(facts, Guard(decide), SettableClock())("staging", document(), actor=actor)
    assert facts.stored_policies == {}


def test_a_policy_is_of_the_environment_in_the_address(facts: MemoryFactStore) -> None:
    with pytest.raises(InvalidInputError) as refused:
        PutPolicy(facts, Guard(decide), SettableClock())("production", document(), actor=ADMIN)
    assert refused.value.errors[0].path == "metadata.name"


def test_a_policy_that_the_gate_could_not_work_with_is_not_stored(facts: MemoryFactStore) -> None:
    with pytest.raises(InvalidInputError):
        put(facts, recheck="1s")
    assert facts.stored_policies == {}


def test_without_a_role_nothing_is_read(facts: MemoryFactStore) -> None:
    with pytest.raises(ForbiddenError):
        ListPolicies(facts, Guard(decide))(actor=NOBODY)
    with pytest.raises(ForbiddenError):
        GetPolicy(Policies(facts, "local"), Guard(decide))("staging", actor=NOBODY)


def incident(**changes: Any) -> RecordIncidentRequest:
    return RecordIncidentRequest(**{"id": "INC-1", "environment": "Staging", "title": "down", **changes})


def test_an_incident_goes_on_until_it_is_told_resolved(facts: MemoryFactStore) -> None:
    record = RecordIncident(facts, Guard(decide), SettableClock())
    assert record(incident(), actor=RUNNER).state is IncidentState.OPEN
    (known,) = facts.open_incidents("staging")  # however it was spelled
    assert (known.team, known.told_by, known.told_at) == ("demo", "ci", START)
    record(incident(state=IncidentState.RESOLVED), actor=RUNNER)
    assert facts.open_incidents("staging") == ()


def test_another_team_ends_no_incident(facts: MemoryFactStore) -> None:
    record = RecordIncident(facts, Guard(decide), SettableClock())
    record(incident(), actor=RUNNER)
    record(incident(state=IncidentState.RESOLVED), actor=person("eve", Role.RUNNER, team="other"))
    assert len(facts.open_incidents("staging")) == 1
    with pytest.raises(ForbiddenError):
        record(
            incident(team="demo", state=IncidentState.RESOLVED),
            actor=person("eve", Role.RUNNER, team="other"),
        )


@pytest.mark.parametrize("actor", [VIEWER, NOBODY])
def test_who_may_not_record_tells_of_nothing(facts: MemoryFactStore, actor: Any) -> None:
    with pytest.raises(ForbiddenError):
        RecordIncident(facts, Guard(decide), SettableClock())(incident(), actor=actor)


def test_a_recorded_deployment_is_a_fact_of_the_gate_once(facts: MemoryFactStore) -> None:
    event = DomainEvent(
        id="deploy-1",
        type="platform.deployment.recorded.v1",
        occurred_at=to_iso(START),
        team="demo",
        detail=DeploymentRecorded(
            team="demo", service="orders", environment=" Staging", version="2", actor="ci"
        ),
    )
    tell = _DeploymentFacts(facts).tell
    tell(event)
    tell(event)
    (fact,) = facts.deployments_since("staging", START)
    assert (fact.id, fact.service, fact.version, fact.told_by) == ("deploy-1", "orders", "2", "ci")
