"""Suites, runs, schedules and experiments as kinds of a cluster: what its API server takes, and what it refuses."""

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from crosswind.adapters.kubernetes.operating import OperatedCluster
from crosswind.runs.clusters.bundle.definitions import definitions
from tests.cluster.clusters import Cluster, wait_for

pytestmark = pytest.mark.xdist_group("cluster")

ROOT = Path(__file__).resolve().parents[2]
_PLURALS = {
    "TestRun": "testruns",
    "TestSuite": "testsuites",
    "TestSchedule": "testschedules",
    "ChaosExperiment": "chaosexperiments",
}


@pytest.fixture(scope="module")
def team(cluster: Cluster) -> Iterator[str]:
    """A team's namespace, where the kinds are known."""
    with OperatedCluster.opened(cluster.admin, None) as operated:
        done = operated.apply(definitions(), dry_run=False, force=False)
    assert not [each for each in done if each.error], done
    for each in definitions():
        name = each["metadata"]["name"]
        wait_for(partial(_is_known, cluster, name), what=name)
    with cluster.namespace("kinds") as made:
        yield made


def _is_known(cluster: Cluster, name: str) -> bool:
    found = cluster.of(client.ApiextensionsV1Api).read_custom_resource_definition(name)
    conditions = found.status.conditions or []
    return any(each.type == "Established" and each.status == "True" for each in conditions)


def _make(cluster: Cluster, team: str, kind: str, spec: Any, name: str = "one") -> Any:
    body = {"apiVersion": "crosswind.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return cluster.of(client.CustomObjectsApi).create_namespaced_custom_object(
        "crosswind.dev", "v1", team, _PLURALS[kind], body, field_validation="Strict"
    )


def _refused(error: pytest.ExceptionInfo[ApiException]) -> str:
    return str(json.loads(error.value.body or "{}").get("message"))


def test_a_run_names_a_suite_or_has_one_and_never_changes(cluster: Cluster, team: str) -> None:
    for spec in ({}, {"suite": "checkout", "spec": _suite()}):
        with pytest.raises(ApiException) as error:
            _make(cluster, team, "TestRun", spec)
        assert "exactly one of suite and spec is needed" in _refused(error)
    made = _make(cluster, team, "TestRun", {"suite": "checkout", "parameters": {"users": 3, "full": True}})
    assert made["spec"]["parameters"] == {"users": 3, "full": True}
    custom = cluster.of(client.CustomObjectsApi)
    where = ("crosswind.dev", "v1", team, "testruns", "one")
    with pytest.raises(ApiException) as error:
        custom.patch_namespaced_custom_object(*where, {"spec": {"suite": "another"}})
    assert "a run never changes" in _refused(error)

    status = {"executionId": "run-1", "state": "executing", "counts": {"total": 3, "passed": 1}}
    custom.patch_namespaced_custom_object_status(*where, {"status": status})
    with pytest.raises(ApiException) as error:
        custom.patch_namespaced_custom_object_status(*where, {"status": {"executionId": "run-2"}})
    assert "never changes" in _refused(error)
    with pytest.raises(ApiException) as error:
        custom.patch_namespaced_custom_object_status(*where, {"status": {"state": "dreaming"}})
    assert "Unsupported value" in _refused(error)


def test_suites_are_checked_before_anything_reads_them(cluster: Cluster, team: str) -> None:
    assert _make(cluster, team, "TestSuite", _suite())["spec"]["stages"][0]["tests"][0]["shards"] == {
        "count": 4
    }
    faulty: list[tuple[dict[str, Any], str]] = [
        ({"framework": "command"}, "needs a command"),
        ({"source": {"directory": "tests"}}, "no folder beside the suite"),
        ({"source": {}}, "exactly one of git and archive"),
        ({"timeout": "soon"}, "should match"),
        ({"retries": {"tests": 6}}, "less than or equal to 5"),
        ({"surprise": 1}, "unknown field"),
    ]
    for change, complaint in faulty:
        with pytest.raises(ApiException) as error:
            _make(cluster, team, "TestSuite", _suite(**change), name="faulty")
        assert complaint in _refused(error)


def test_the_examples_are_taken_as_they_are(cluster: Cluster, team: str) -> None:
    """Every field of theirs passes the schemas, under strict validation; only folders become archives."""
    taken = []
    for path in sorted((ROOT / "examples").rglob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("kind") not in _PLURALS:
            continue
        spec = document["spec"]
        for test in (test for stage in spec.get("stages", ()) for test in stage["tests"]):
            if "directory" in test["source"]:
                test["source"] = {"archive": {"digest": f"sha256:{'0' * 64}"}}
        name = f"{path.parent.name}-{path.stem}"
        made = _make(cluster, team, document["kind"], copy.deepcopy(spec), name=name)
        assert made["spec"] == spec, "nothing is pruned, and no default is written in"
        taken.append(document["kind"])
    assert taken.count("TestSuite") >= 3
    assert taken.count("ChaosExperiment") >= 3


def test_schedules_and_experiments_are_checked(cluster: Cluster, team: str) -> None:
    assert _make(cluster, team, "TestSchedule", {"suite": "checkout", "cron": "0 6 * * *"})
    with pytest.raises(ApiException) as error:
        _make(cluster, team, "TestSchedule", {"suite": "checkout"}, name="never")
    assert "exactly one of cron and at" in _refused(error)
    target = {"kind": "proxy", "names": ["payments"]}
    probe = {"type": "http", "name": "orders", "url": "https://shop.example/health"}
    fault = {
        "name": "slow",
        "provider": "toxiproxy",
        "action": "latency",
        "target": target,
        "duration": "1m",
        "parameters": {"latency": 800},
    }
    experiment: dict[str, Any] = {
        "environment": "staging",
        "hypothesis": {"title": "orders go through", "probes": [probe]},
        "faults": [fault],
        "blastRadius": {"maxTargets": 1},
    }
    made = _make(cluster, team, "ChaosExperiment", experiment)
    assert made["spec"]["faults"][0]["parameters"] == {"latency": 800}
    picky = experiment | {"faults": [fault | {"target": target | {"pick": "count"}}]}
    with pytest.raises(ApiException) as error:
        _make(cluster, team, "ChaosExperiment", picky, name="picky")
    assert "needs a count" in _refused(error)


def _suite(**change: Any) -> dict[str, Any]:
    test = {
        "name": "api",
        "framework": "pytest",
        "source": {"git": {"uri": "https://git.example/shop.git"}},
        "shards": {"count": 4},
        "env": {"BASE_URL": "https://shop.example"},
        "matrix": {"browser": ["firefox", "chromium"]},
    }
    return {"stages": [{"name": "all", "tests": [test | change]}]}
