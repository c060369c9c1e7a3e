"""Policies: the default, what a stored one may say, the quorum."""

from pathlib import Path
from typing import Any

import pytest

from crosswind.chaos.policies import Policies, check_policy, default_policy, needed, version_of
from crosswind.chaos.ports import StoredPolicy
from crosswind.contracts.chaos.gate import ChaosPolicy, PolicySpec
from crosswind.contracts.chaos.spec import ProviderName, Risk
from crosswind.contracts.spec_text import read_text
from crosswind.kernel.errors import DependencyError, InvalidInputError
from tests.fakes.facts import MemoryFactStore
from tests.unit.chaos.gate.world import LOCAL, make_spec, policy


def test_a_laptop_needs_neither_on_call_nor_a_source_of_incidents() -> None:
    assert LOCAL.providers == (ProviderName.PROCESS, ProviderName.TOXIPROXY)
    assert "127.0.0.1" in LOCAL.hosts
    assert not LOCAL.incidents_required
    assert not LOCAL.on_call_required


@pytest.mark.parametrize("stage", ["dev", "staging", "prod", ""])
def test_everywhere_else_everything_is_required_and_no_host_may_be_asked(stage: str) -> None:
    spec = default_policy(stage)
    assert spec.incidents_required
    assert spec.on_call_required
    assert spec.hosts == ()


@pytest.mark.parametrize("stage", ["local", "prod"])
def test_defaults_are_sound(stage: str) -> None:
    check_policy(default_policy(stage))


def test_a_stored_policy_stands_before_the_default() -> None:
    facts = MemoryFactStore()
    policies = Policies(facts, "local")
    assert policies.of("staging").updated_by is None
    assert policies.of("staging").version == version_of(LOCAL)
    strict = PolicySpec(providers=(ProviderName.FIS,))
    facts.put_policy(StoredPolicy("staging", version_of(strict), strict, updated_by="root"))
    assert policies.spec_of("staging") == strict
    assert policies.spec_of("production") == LOCAL


def test_a_policy_that_cannot_be_read_is_no_default() -> None:
    with pytest.raises(DependencyError):
        Policies(MemoryFactStore(fault=DependencyError("down")), "local").of("staging")


def test_the_version_follows_the_content() -> None:
    assert version_of(policy()) == version_of(policy())
    assert version_of(policy(recheck="20s")) != version_of(policy())


@pytest.mark.parametrize(
    ("risk", "quorum", "own", "count"),
    [
        ("low", {"low": 1, "high": 3}, None, 1),
        ("high", {"low": 1, "high": 3}, None, 3),
        ("high", {"low": 1}, None, 2),  # what the policy leaves out is not free
        ("medium", {"low": 1}, None, 1),
        ("low", {"low": 1}, 3, 3),
        ("high", {"high": 3}, 1, 3),  # a spec asks for more, never for less
    ],
)
def test_the_quorum_is_the_policy_s_for_the_risk_or_the_spec_s_own_where_it_is_more(
    risk: str, quorum: dict[Risk, int], own: int | None, count: int
) -> None:
    spec = make_spec(risk=risk, approvals={"quorum": own})
    assert needed(policy(quorum=quorum), spec) == count


def test_nothing_needs_no_approval() -> None:
    assert needed(policy(quorum={"low": 0}), make_spec(risk="low")) == 1


ERRORS = {"name": "errors", "query": "rate(errors[1m])", "at_most": 0.01}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"quorum": {"low": 0}}, "spec.quorum.low"),
        ({"quorum": {"high": 11}}, "spec.quorum.high"),
        ({"deployment_quiet": "169h"}, "spec.deploymentQuiet"),
        ({"recheck": "9s"}, "spec.recheck"),
        ({"recheck": "11m"}, "spec.recheck"),
        ({"patience": "721h"}, "spec.patience"),
        (
            {"freezes": [{"name": "x", "start": "soon", "end": "2026-12-24T00:00:00Z"}]},
            "spec.freezes[0].start",
        ),
        (
            {"freezes": [{"name": "x", "start": "2026-12-24T00:00:00", "end": "2027-01-01T00:00:00Z"}]},
            "spec.freezes[0].start",  # without a time zone nobody knows when
        ),
        (
            {"freezes": [{"name": "x", "start": "2027-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}]},
            "spec.freezes[0].end",
        ),
        ({"business_hours": {"timezone": "Mars/Phobos"}}, "spec.businessHours.timezone"),
        ({"business_hours": {"days": []}}, "spec.businessHours.days"),
        ({"prometheus": "http://169.254.169.254/latest"}, "spec.prometheus"),
        ({"prometheus": "ftp://prometheus.example.com"}, "spec.prometheus"),
        ({"prometheus": "https://prometheus.example.com/?x=1"}, "spec.prometheus"),
        ({"slos": [ERRORS]}, "spec.slos[0].query"),
        ({"slos": [{"name": "nothing"}]}, "spec.slos[0]"),
        ({"slos": [{"name": "lag", "alarm": "lag", "at_most": 1}]}, "spec.slos[0]"),
        ({"slos": [{**ERRORS, "at_most": None}], "prometheus": "http://127.0.0.1:9090"}, "spec.slos[0]"),
        ({"slos": [{"name": "lag", "alarm": "lag"}, {"name": "lag", "alarm": "x"}]}, "spec.slos[1].name"),
        (
            {"pagerduty": {"secret": "pagerduty"}, "on_call_required": True},
            "spec.pagerduty.escalationPolicies",
        ),
    ],
)
def test_what_the_gate_could_not_work_with_is_refused_with_its_path(spec: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_policy(policy(**spec))
    assert [each.path for each in refused.value.errors] == [path]


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_policy(policy(recheck="1s", quorum={"low": 0}, business_hours={"timezone": "x"}))
    assert len(refused.value.errors) == 3


def test_the_policy_in_the_documentation_is_a_policy() -> None:
    text = (Path(__file__).parents[4] / "docs/safety-gate.md").read_text(encoding="utf-8")
    read = read_text(text.split("```yaml\n")[1].split("```")[0])
    check_policy(ChaosPolicy.model_validate(read.value).spec)
