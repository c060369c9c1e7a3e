"""Templates are whole experiments that their providers take."""

import pytest
import yaml

from crosswind.chaos import templating
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import parse_document, parse_experiment
from crosswind.chaos.usecases.specs import ListTemplates
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.contracts.suites import Scalar
from crosswind.kernel.errors import InvalidInputError, NotFoundError
from tests.unit.chaos.spec.samples import FIS, Known

NAMES = [each.name for each in templating.templates()]
POLICY = PolicySpec(providers=tuple(ProviderName), hosts=("127.0.0.1", "shop.example.com"))
RULES = Rules(providers=Known(FIS), policy_of=lambda _: POLICY, refused=("127.0.0.1:4566",))


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_valid_with_its_examples_and_its_provider_takes_it(name: str) -> None:
    chosen = templating.template(name)
    text = templating.view(chosen, whole=True).document
    assert text is not None
    experiment = parse_experiment(text, rules=RULES)
    assert experiment.metadata.name == name
    assert [fault.provider for fault in experiment.spec.faults] == [chosen.provider]
    assert experiment.spec.abort_on
    assert "${{" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_open_place_is_declared_and_used(name: str) -> None:
    chosen = templating.template(name)
    used = {part.split("}}")[0].strip() for part in yaml.safe_dump(chosen.document).split("${{")[1:]}
    assert used == {f"parameters.{parameter}" for parameter in chosen.parameters}


def test_what_issue_and_providers_promise_is_there() -> None:
    by_provider = {
        provider: {each.name for each in templating.templates() if each.provider is provider}
        for provider in ProviderName
    }
    assert by_provider[ProviderName.TOXIPROXY] == {
        "dependency-slow",
        "dependency-down",
        "dependency-cut-off",
        "dependency-half-open",
    }
    assert by_provider[ProviderName.PROCESS] == {
        "process-killed",
        "process-frozen",
        "process-cpu-starved",
        "process-memory-starved",
        "process-disk-full",
    }
    assert by_provider[ProviderName.FIS] == {
        "eks-pod-delete",
        "eks-pod-latency",
        "zone-loss",
        "throttled-api",
        "rds-failover",
        "lambda-errors",
        "spot-interruption",
    }


def test_values_keep_their_types() -> None:
    values: dict[str, Scalar] = {
        "team": "demo",
        "service": "order",
        "proxy": "p",
        "url": "http://127.0.0.1:1/",
        "latency": 1500,
        "slowest": 0.5,
        "duration": "15s",
    }
    spec = parse_document(templating.render(templating.template("dependency-slow"), values), rules=RULES).spec
    assert spec.faults[0].parameters["latency"] == 1500
    assert spec.faults[0].duration == "15s"
    tolerance = spec.hypothesis.probes[1].tolerance
    assert tolerance is not None
    assert tolerance.range == (None, 0.5)


def test_every_wrong_value_is_told_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        templating.render(
            templating.template("dependency-slow"), {"latency": "slow", "prxy": "x", "team": "demo"}
        )
    assert {fault.path for fault in caught.value.errors} == {
        "parameters.latency",
        "parameters.prxy",
        "parameters.proxy",
        "parameters.service",
        "parameters.url",
    }


def test_an_unknown_template_is_not_found_and_the_known_ones_are_named() -> None:
    with pytest.raises(NotFoundError, match="dependency-slow"):
        templating.template("dependency-fast")


def test_the_list_has_what_the_deployments_providers_can_do() -> None:
    listed = ListTemplates(Known())()
    assert {each.provider for each in listed.items} == set(Known().available())
    assert all(each.document is None for each in listed.items)
    assert {"latency", "freeze"} <= {each.action for each in listed.actions}
    (one,) = ListTemplates(Known())("process-frozen").items
    assert one.document is not None
    assert "freeze" in one.document
