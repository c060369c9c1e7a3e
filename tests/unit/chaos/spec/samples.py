"""An experiment to start from, and where it is read."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml

from crosswind.adapters.http import HttpPeer
from crosswind.adapters.providers.fis import checking
from crosswind.adapters.providers.fis.actions import ACTIONS
from crosswind.adapters.providers.process.provider import ProcessProvider
from crosswind.adapters.providers.toxiproxy import ToxiproxyProvider
from crosswind.chaos.providing import Capabilities, FaultRequest, Provider
from crosswind.chaos.spec_rules import Rules
from crosswind.chaos.specs import parse_experiment
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.errors import FieldError, InvalidInputError

POLICY = PolicySpec(
    providers=(ProviderName.TOXIPROXY, ProviderName.PROCESS, ProviderName.FIS),
    hosts=("127.0.0.1", "shop.example.com"),
    namespaces_by_team={"demo": ("checkout",), "payments": ("ledger",)},
)


class FisRules:
    """AWS FIS as far as it says something without asking AWS."""

    def capabilities(self) -> Capabilities:
        return Capabilities(
            ProviderName.FIS, tuple(each.view() for each in ACTIONS.values()), own_time_limit=True
        )

    def check(self, request: FaultRequest) -> tuple[str, ...]:
        return tuple(checking.faults(request))


FIS = cast("Provider", FisRules())


class Known:
    """Providers that are only asked what they can do."""

    def __init__(self, *more: Provider) -> None:
        peer = HttpPeer("toxiproxy", "http://127.0.0.1:1", transport=httpx.MockTransport(_nobody))
        providers: tuple[Provider, ...] = (
            ToxiproxyProvider(peer),
            ProcessProvider(Path("/nowhere"), SystemClock()),
            *more,
        )
        self._providers: Mapping[ProviderName, Provider] = {
            each.capabilities().provider: each for each in providers
        }

    def get(self, name: ProviderName) -> Provider:
        if name not in self._providers:
            raise InvalidInputError(f"provider {name.value} is not configured here")
        return self._providers[name]

    def available(self) -> tuple[ProviderName, ...]:
        return tuple(self._providers)


def _nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"a check asked {request.url}")


OFFLINE = Rules()
SERVER = Rules(providers=Known(), policy_of=lambda _: POLICY, refused=("127.0.0.1:4566",))


def any_probe(name: str = "answers", **changes: Any) -> dict[str, Any]:
    return {"name": name, "type": "http", "url": "http://127.0.0.1:8001/products", **changes}


def any_fault(name: str = "slow", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "provider": "toxiproxy",
        "action": "latency",
        "target": {"names": ["order-to-payment"]},
        "parameters": {"latency": 800},
        "duration": "30s",
        **changes,
    }


def fis_fault(**changes: Any) -> dict[str, Any]:
    """Pods of a namespace."""
    target = {
        "kind": "aws:eks:pod",
        "namespace": "checkout",
        "parameters": {
            "clusterIdentifier": "arn:aws:eks:eu-west-1:111122223333:cluster/staging",
            "selectorType": "labelSelector",
            "selectorValue": "app=checkout",
        },
    }
    return {
        "name": "pods",
        "provider": "fis",
        "action": "eks.pod-delete",
        "target": target | changes.pop("target", {}),
        "parameters": {"kubernetesServiceAccount": "fis"},
        "duration": "2m",
        **changes,
    }


def any_experiment(**spec: Any) -> dict[str, Any]:
    """One fault at full intensity, watched by one probe."""
    return {
        "apiVersion": "crosswind.dev/v1",
        "kind": "ChaosExperiment",
        "metadata": {"name": "slow-payment", "team": "demo"},
        "spec": deepcopy(
            {
                "environment": "local",
                "hypothesis": {"title": "orders go on", "probes": [any_probe()]},
                "faults": [any_fault()],
                "blastRadius": {"maxTargets": 1},
                **spec,
            }
        ),
    }


def probing(**changes: Any) -> dict[str, Any]:
    """An experiment whose only probe is this."""
    return any_experiment(hypothesis={"title": "orders go on", "probes": [any_probe(**changes)]})


def guarded(guard: Mapping[str, Any]) -> dict[str, Any]:
    return any_experiment(abortOn=[{"name": "guard", "probe": any_probe("guarding"), **guard}])


def faults_of(document: Any, *, rules: Rules = SERVER) -> dict[str, FieldError]:
    """The faults by their path."""
    text = document if isinstance(document, str | bytes) else yaml.safe_dump(document)
    with pytest.raises(InvalidInputError) as caught:
        parse_experiment(text, rules=rules)
    assert caught.value.errors
    return {fault.path: fault for fault in caught.value.errors}
