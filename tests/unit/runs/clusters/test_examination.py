"""What the doctor makes of what a cluster answers."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from crosswind.runs.clusters.bundle.options import BundleOptions
from crosswind.runs.clusters.examination.examining import examine
from crosswind.runs.clusters.examination.places import amount
from crosswind.runs.clusters.examination.ports import Finding, RefusedError
from crosswind.runs.clusters.examination.rights import Act, launcher_may
from crosswind.runs.clusters.examination.surroundings import PROBE
from crosswind.runs.clusters.reading import parse_cluster

_DOCUMENT = """
apiVersion: crosswind.dev/v1
kind: Cluster
metadata: {name: main}
spec:
  connection: {kind: server, endpoint: "https://127.0.0.1", secret: main}
  teams: [shop]
  images: {registry: registry.example.com, tag: "1"}
  runner: {roleArn: "arn:aws:iam::1:role/cw-{team}"}
"""
_SPACE = "/api/v1/namespaces/crosswind-shop"
_PROBE = f"{_SPACE}/pods/crosswind-doctor"


@dataclass
class _Cluster:
    """A cluster where all is well; tests change what it has."""

    version: Mapping[str, str] = field(
        default_factory=lambda: {"major": "1", "minor": "34+", "gitVersion": "v1.34.4"}
    )
    missing: set[str] = field(default_factory=set)
    objects: dict[str, Any] = field(default_factory=dict)
    ahead: float | None = 0.2
    allowed: set[str] = field(default_factory=set)
    """Beyond the launcher's Role."""

    privileged: bool = False
    log: str = '{"sqs.eu-central-1.amazonaws.com:443": null}'
    made: list[str] = field(default_factory=list)
    probe: Mapping[str, Any] = field(default_factory=dict)

    def get(self, path: str) -> dict[str, Any] | None:
        if path in self.missing:
            return None
        if path == "/version":
            return dict(self.version)
        if path == _PROBE and path not in self.made:
            return None
        if path in self.objects:
            found: dict[str, Any] = self.objects[path]
            return found
        return {
            "metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/cw-shop"}},
            "items": [{"metadata": {"labels": {}}}],
            "status": {"hard": {"pods": "100"}, "used": {"pods": "7"}, "phase": "Succeeded"},
        }

    def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        if path.endswith("accessreviews"):
            return {"status": {"allowed": self._may(body["spec"])}}
        if body["spec"].get("hostNetwork") and not self.privileged:
            raise RefusedError(403, "violates PodSecurity")
        if not dry_run:
            self.made.append(f"{path}/{body['metadata']['name']}")
            self.probe = body
        return dict(body)

    def delete(self, path: str) -> None:
        self.made.remove(path)

    def text(self, path: str) -> str:
        return self.log

    def clock_ahead(self) -> float | None:
        return self.ahead

    def _may(self, spec: Mapping[str, Any]) -> bool:
        if "groups" not in spec:
            return True
        given = spec["resourceAttributes"]
        sub = f"/{given['subresource']}" if "subresource" in given else ""
        act = Act(given["verb"], given["resource"] + sub, given["group"], given.get("namespace"))
        granted = {*(each.text for each in launcher_may("crosswind-shop")), *self.allowed}
        granted |= {"list pods", "list jobs.batch", "list nodes"}
        return act.text in granted


def _examined(cluster: _Cluster, *targets: str, document: str = _DOCUMENT) -> dict[str, Finding]:
    parsed = parse_cluster(document)
    options = BundleOptions(cluster=parsed, teams=parsed.spec.teams)
    found = examine(cluster, options, targets=targets, pause=lambda _: None)
    return {each.check: each for each in found}


def test_a_prepared_cluster_has_nothing_to_mend() -> None:
    findings = _examined(_Cluster(), "sqs.eu-central-1.amazonaws.com:443")
    assert not [each for each in findings.values() if not each.ok]
    assert findings["quota in crosswind-shop"].detail == "7 of 100 pods"


_OFFERS = """
  capacity:
    - {kind: spot, nodeSelector: {pool: spot}}
    - kind: nodes
      nodeSelector: {pool: tests}
      tolerations: [{key: only, operator: Equal, value: tests, effect: NoSchedule}]
      labels: {compute: lasting}
"""


def test_the_probe_goes_where_pods_of_tests_go_and_not_to_spot() -> None:
    cluster = _Cluster()
    _examined(cluster, "sqs.eu-central-1.amazonaws.com:443", document=_DOCUMENT + _OFFERS)
    assert cluster.probe["metadata"]["labels"]["compute"] == "lasting"
    assert cluster.probe["spec"]["nodeSelector"] == {"pool": "tests"}
    (toleration,) = cluster.probe["spec"]["tolerations"]
    assert toleration == {"key": "only", "operator": "Equal", "value": "tests", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("taint", "taken"),
    [
        ({"key": "only", "value": "tests", "effect": "NoSchedule"}, 1),
        ({"key": "rather-not", "effect": "PreferNoSchedule"}, 1),
        ({"key": "only", "value": "builds", "effect": "NoSchedule"}, 0),
        ({"key": "only", "value": "tests", "effect": "NoExecute"}, 0),
        ({"key": "gpu", "effect": "NoSchedule"}, 0),
    ],
)
def test_a_node_whose_taint_is_not_borne_takes_no_pods(taint: dict[str, str], taken: int) -> None:
    node = {"metadata": {"labels": {"pool": "tests"}}, "spec": {"taints": [taint]}}
    cluster = _Cluster(objects={"/api/v1/nodes?limit=500": {"items": [node]}})
    found = _examined(cluster, document=_DOCUMENT + _OFFERS)["nodes"]
    assert found.ok is bool(taken)
    assert found.detail.startswith(f"{taken} of 1 take pods")


@pytest.mark.parametrize(
    ("cluster", "check", "detail", "fix"),
    [
        (_Cluster(version={"major": "1", "minor": "28"}), "version", "not told", "upgrade to 1.29"),
        (_Cluster(ahead=-300.0), "clock", "300 s behind", "set the clock"),
        (_Cluster(missing={_SPACE}), "namespace crosswind-shop", "team shop has none", "--teams shop"),
        (_Cluster(privileged=True), "admission in crosswind-shop", "would be taken", "restricted"),
        (
            _Cluster(allowed={"get secrets -n crosswind-shop"}),
            "bounds of the launcher in crosswind-shop",
            "allowed: get secrets -n crosswind-shop",
            "another binding",
        ),
        (
            _Cluster(objects={f"{_SPACE}/serviceaccounts/crosswind-runner": {"metadata": {}}}),
            "account crosswind-runner in crosswind-shop",
            "role none",
            "clusters apply",
        ),
        (
            _Cluster(objects={"/api/v1/nodes?limit=500": {"items": []}}),
            "nodes",
            "0 of 0 take pods",
            "add nodes",
        ),
        (
            _Cluster(missing={"/apis/scheduling.k8s.io/v1/priorityclasses/crosswind-p1"}),
            "priority classes",
            "missing: crosswind-p1",
            "clusters apply",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_each_fault_is_found_with_its_fix(cluster: _Cluster, check: str, detail: str, fix: str) -> None:
    found = _examined(cluster)[check]
    assert not found.ok
    assert found.required
    assert detail in found.detail
    assert fix in (found.fix or "")


def test_a_quota_that_is_nearly_used_up_is_advice() -> None:
    status = {
        "hard": {"pods": "100", "limits.memory": "80Gi"},
        "used": {"pods": "7", "limits.memory": "75Gi"},
    }
    cluster = _Cluster(objects={f"{_SPACE}/resourcequotas/crosswind": {"status": status}})
    found = _examined(cluster)["quota in crosswind-shop"]
    assert (found.ok, found.required) == (False, False)
    assert found.detail == "nearly used up: limits.memory 75Gi of 80Gi"


@pytest.mark.parametrize(
    ("cluster", "detail"),
    [
        (
            _Cluster(log='{"a:1": "the name is not resolved: x", "b:2": null}'),
            "a:1: the name is not resolved: x",
        ),
        (
            _Cluster(
                objects={
                    _PROBE: {
                        "status": {
                            "phase": "Pending",
                            "containerStatuses": [
                                {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
                            ],
                        }
                    }
                }
            ),
            "ErrImagePull: not found",
        ),
        (
            _Cluster(
                objects={
                    _PROBE: {
                        "status": {
                            "phase": "Pending",
                            "conditions": [
                                {"status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
                            ],
                        }
                    }
                }
            ),
            "Unschedulable: 0/3 nodes",
        ),
        (_Cluster(log="no python", objects={_PROBE: {"status": {"phase": "Failed"}}}), "no python"),
    ],
    ids=["no name", "no image", "no machine", "no python"],
)
def test_a_probe_that_does_not_get_through_says_why_and_leaves_nothing(
    cluster: _Cluster, detail: str
) -> None:
    found = _examined(cluster, "a:1", "b:2")["reach from crosswind-shop"]
    assert not found.ok
    assert detail in found.detail
    assert cluster.made == []


def test_the_probes_program_says_what_it_reaches() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "127.0.0.1:9", "nobody.invalid:443"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said = json.loads(done.stdout)
    assert said["127.0.0.1:9"].startswith("no connection to 127.0.0.1")
    assert said["nobody.invalid:443"].startswith("the name is not resolved")


@pytest.mark.parametrize(
    ("text", "value"), [("1500m", 1.5), ("8Gi", 8 * 2**30), ("2k", 2000), ("7", 7), ("0", 0)]
)
def test_quantities(text: str, value: float) -> None:
    assert amount(text) == pytest.approx(value)
