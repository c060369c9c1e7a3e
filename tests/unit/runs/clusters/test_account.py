"""Quotas of an AWS account against what a deployment wants."""

import pytest
from botocore.session import Session, get_session
from botocore.stub import ANY, Stubber

from crosswind.adapters.aws.account import Account
from crosswind.kernel.errors import DependencyError
from crosswind.runs.clusters.examination.account import (
    QUOTAS,
    QuotaFact,
    QuotaKind,
    SubnetFact,
    judge_quotas,
    judge_subnets,
)

_FARGATE, _LAMBDA, *_ = QUOTAS


def _judged(kind: QuotaKind, fact: QuotaFact, slots: int = 1000) -> tuple[bool, str, str]:
    (found,) = judge_quotas([(kind, fact)], slots=slots, region="eu-central-1")
    return found.ok, found.detail, found.fix or ""


def test_what_is_used_by_others_counts() -> None:
    assert _judged(_FARGATE, QuotaFact(limit=1400, used=300))[0]
    ok, detail, fix = _judged(_FARGATE, QuotaFact(limit=1200, used=300))
    assert not ok
    assert detail == "1200, 300 used; 1000 needed for 1000 shards at once"
    assert fix.startswith("ask for 1300: https://eu-central-1.console.aws.amazon.com/servicequotas/")
    assert fix.endswith("/services/fargate/quotas/L-3032A538")


def test_a_new_account_has_too_few_lambdas_for_anything() -> None:
    assert not _judged(_LAMBDA, QuotaFact(limit=10), slots=20)[0]
    assert _judged(_LAMBDA, QuotaFact(limit=1000), slots=1000)[0]


def test_what_cannot_be_read_is_advice_with_a_link() -> None:
    (found,) = judge_quotas(
        [(_FARGATE, QuotaFact(limit=None, trouble="AccessDenied"))], slots=10, region="eu-west-1"
    )
    assert not found.ok
    assert not found.required
    assert "AccessDenied" in found.detail


def test_every_pod_needs_an_address() -> None:
    zones = [SubnetFact(id=f"subnet-{zone}", zone=zone, free=400) for zone in "abc"]
    assert judge_subnets(zones, slots=1000).ok
    assert not judge_subnets(zones[:2], slots=1000).ok
    assert not judge_subnets([], slots=1).required


class _Clients:
    """A session whose clients answer as they are told."""

    def __init__(self) -> None:
        session = get_session()
        session.set_credentials("key", "secret")
        self.made = {
            name: session.create_client(name, region_name="eu-central-1")
            for name in ("service-quotas", "cloudwatch", "ec2", "cloudformation")
        }
        self.stubs = {name: Stubber(client) for name, client in self.made.items()}
        for stub in self.stubs.values():
            stub.activate()

    def create_client(self, name: str, **_: str) -> object:
        return self.made[name]


@pytest.fixture
def clients() -> _Clients:
    """Stubs."""
    return _Clients()


@pytest.fixture
def account(clients: _Clients) -> Account:
    """An account that answers by stubs."""
    session: Session = clients  # type: ignore[assignment]  # all that is asked of it
    return Account(session, "eu-central-1")


def test_the_accounts_own_quota_and_its_use_are_read(clients: _Clients, account: Account) -> None:
    quota = {
        "Value": 4000.0,
        "UsageMetric": {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": {"Service": "Fargate", "Class": "Standard/OnDemand"},
            "MetricStatisticRecommendation": "Maximum",
        },
    }
    clients.stubs["service-quotas"].add_response(
        "get_service_quota", {"Quota": quota}, {"ServiceCode": "fargate", "QuotaCode": "L-3032A538"}
    )
    clients.stubs["cloudwatch"].add_response(
        "get_metric_statistics",
        {"Datapoints": [{"Maximum": 12.0}, {"Maximum": 250.0}]},
        {
            "Namespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "Dimensions": [
                {"Name": "Service", "Value": "Fargate"},
                {"Name": "Class", "Value": "Standard/OnDemand"},
            ],
            "StartTime": ANY,
            "EndTime": ANY,
            "Period": 300,
            "Statistics": ["Maximum"],
        },
    )
    assert account.quotas([_FARGATE]) == [(_FARGATE, QuotaFact(limit=4000.0, used=250.0))]


def test_a_quota_that_nobody_changed_is_awss_own(clients: _Clients, account: Account) -> None:
    stub = clients.stubs["service-quotas"]
    stub.add_client_error("get_service_quota", "NoSuchResourceException")
    stub.add_response("get_aws_default_service_quota", {"Quota": {"Value": 1000.0}})
    assert account.quotas([_LAMBDA]) == [(_LAMBDA, QuotaFact(limit=1000.0, used=None))]


def test_a_refusal_is_told_and_ends_nothing(clients: _Clients, account: Account) -> None:
    clients.stubs["service-quotas"].add_client_error("get_service_quota", "AccessDeniedException", "not you")
    ((_, fact),) = account.quotas([_LAMBDA])
    assert fact.limit is None
    assert "not you" in (fact.trouble or "")


def test_subnets_are_those_of_the_stage(clients: _Clients, account: Account) -> None:
    clients.stubs["ec2"].add_response(
        "describe_subnets",
        {"Subnets": [{"SubnetId": "subnet-1", "AvailabilityZone": "a", "AvailableIpAddressCount": 4000}]},
        {"Filters": [{"Name": "tag:crosswind:stage", "Values": ["prod"]}]},
    )
    assert account.subnets("prod") == [SubnetFact(id="subnet-1", zone="a", free=4000)]


def test_a_deployment_tells_its_slots_and_no_deployment_none(clients: _Clients, account: Account) -> None:
    stub = clients.stubs["cloudformation"]
    stack = {
        "StackName": "crosswind-prod-compute",
        "CreationTime": "2026-11-01T00:00:00Z",
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": "DefaultSlots", "OutputValue": "1000"}],
    }
    stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "crosswind-prod-compute"})
    stub.add_client_error("describe_stacks", "ValidationError", "Stack does not exist")
    stub.add_client_error("describe_stacks", "AccessDenied", "not you")
    assert account.slots("prod") == 1000
    assert account.slots("dev") is None
    with pytest.raises(DependencyError, match="not you"):
        account.slots("prod")
