"""FactStore: the fake and DynamoDB."""

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.fact_store import DynamoFactStore
from crosswind.chaos.model import DeploymentFact, Halt, Incident
from crosswind.chaos.policies import default_policy, version_of
from crosswind.chaos.ports import FactStore, StoredPolicy
from crosswind.contracts.chaos.gate import BusinessHours, Freeze, PagerDutySource, PolicySpec, SloSource
from crosswind.contracts.chaos.spec import Namespaces, ProviderName, Risk
from tests.fakes import START
from tests.fakes.facts import MemoryFactStore
from tests.stores.embedded import Tables

HOUR = timedelta(hours=1)
SPEC = PolicySpec(
    providers=(ProviderName.FIS,),
    namespaces=Namespaces(allow=("shop-*",), deny=("shop-prod",)),
    namespaces_by_team={"demo": ("shop",)},
    hosts=("*.example.com",),
    quorum={Risk.LOW: 1, Risk.HIGH: 3},
    pagerduty=PagerDutySource(secret="pagerduty", region="eu", services=("S1",), escalation_policies=("E1",)),
    incident_alarms=("outage",),
    codedeploy_applications=("shop",),
    prometheus="https://prometheus.example.com",
    slos=(SloSource(name="errors", query="rate(x[1m])", at_most=0.01), SloSource(name="lag", alarm="lag")),
    freezes=(Freeze(name="year's end", start="2026-12-20T00:00:00Z", end="2027-01-03T00:00:00Z"),),
    business_hours=BusinessHours(timezone="Europe/Berlin", days=("mon", "tue")),
)
POLICY = StoredPolicy("staging", version_of(SPEC), SPEC, updated_at=START, updated_by="ada")
INCIDENT = Incident(
    id="INC-1",
    team="demo",
    environment="staging",
    title="größer als gedacht",
    open=True,
    told_by="ci",
    told_at=START,
    service="orders",
)
DEPLOYMENT = DeploymentFact(
    team="demo",
    service="orders",
    environment="staging",
    version="1.2.3",
    told_by="ci",
    at=START,
    id="deploy-1",
)


class FactStoreContract(ABC):
    @abstractmethod
    @pytest.fixture
    def store(self) -> FactStore: ...

    def test_a_policy_comes_back_as_it_was(self, store: FactStore) -> None:
        store.put_policy(POLICY)
        assert store.policy("staging") == POLICY
        assert store.policy("production") is None

    def test_a_policy_is_replaced(self, store: FactStore) -> None:
        spec = default_policy("local")
        newer = StoredPolicy("staging", version_of(spec), spec, updated_at=START + HOUR, updated_by="grace")
        store.put_policy(POLICY)
        store.put_policy(newer)
        assert store.policies() == (newer,)

    def test_policies_of_all_environments_are_listed(self, store: FactStore) -> None:
        store.put_policy(POLICY)
        store.put_policy(replace(POLICY, environment="production"))
        assert {each.environment for each in store.policies()} == {"staging", "production"}

    def test_the_switch_is_off_until_it_is_set_and_after_it_is_cleared(self, store: FactStore) -> None:
        assert store.halt() is None
        halt = Halt(reason="outage", by="ada", at=START, safety_lever="engaged")
        store.set_halt(halt)
        assert store.halt() == halt
        store.clear_halt()
        store.clear_halt()
        assert store.halt() is None

    def test_an_incident_is_open_until_it_is_told_resolved(self, store: FactStore) -> None:
        store.put_incident(INCIDENT)
        assert store.open_incidents("staging") == (INCIDENT,)
        assert store.open_incidents("production") == ()
        store.put_incident(replace(INCIDENT, open=False, told_at=START + HOUR))
        assert store.open_incidents("staging") == ()

    def test_an_incident_of_one_team_is_not_resolved_by_another(self, store: FactStore) -> None:
        store.put_incident(INCIDENT)
        store.put_incident(replace(INCIDENT, team="other", open=False))
        assert store.open_incidents("staging") == (INCIDENT,)

    def test_an_incident_without_a_service_is_kept(self, store: FactStore) -> None:
        general = replace(INCIDENT, service=None)
        store.put_incident(general)
        assert store.open_incidents("staging") == (general,)

    def test_deployments_of_the_time_and_the_environment_are_found(self, store: FactStore) -> None:
        later = replace(DEPLOYMENT, at=START + HOUR, id="deploy-2")
        for fact in (DEPLOYMENT, later, replace(later, environment="production")):
            store.put_deployment(fact)
        assert set(store.deployments_since("staging", START)) == {DEPLOYMENT, later}
        assert store.deployments_since("staging", START + HOUR) == (later,)
        assert store.deployments_since("staging", START + 2 * HOUR) == ()

    def test_a_deployment_that_is_told_again_keeps_its_first_moment(self, store: FactStore) -> None:
        store.put_deployment(DEPLOYMENT)
        store.put_deployment(replace(DEPLOYMENT, at=START + HOUR))
        assert store.deployments_since("staging", START) == (DEPLOYMENT,)


class TestMemoryFactStore(FactStoreContract):
    @pytest.fixture
    def store(self) -> FactStore:
        return MemoryFactStore()


class TestDynamoFactStore(FactStoreContract):
    @pytest.fixture
    def store(self, tables: Tables) -> FactStore:
        return DynamoFactStore(dynamo=tables.dynamo, table=tables.queue)  # the same keys, without indexes

    def test_what_is_over_expires(self, store: FactStore, tables: Tables) -> None:
        store.put_deployment(DEPLOYMENT)
        store.put_incident(replace(INCIDENT, open=False))
        store.put_incident(replace(INCIDENT, id="INC-2"))
        expiring = {item["id"]["S"] for item in tables.items(tables.queue) if "expiresAt" in item}
        assert expiring == {"deploy-1", "INC-1"}
