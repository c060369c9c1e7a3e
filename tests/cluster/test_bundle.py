"""What `crosswind clusters apply` puts into a cluster, and what the cluster then lets pass."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from typer.testing import CliRunner

from crosswind.adapters.kubernetes.calls import ApiServer
from crosswind.adapters.kubernetes.jobs import KubernetesJobs
from crosswind.adapters.kubernetes.operating import OperatedCluster
from crosswind.cli.main import app
from crosswind.runs.clusters.bundle.namespaces import LAUNCHER_RULES
from crosswind.runs.clusters.bundle.options import LAUNCHER, BundleOptions
from crosswind.runs.clusters.bundle.render import objects_of
from crosswind.runs.clusters.examination.examining import examine
from crosswind.runs.clusters.reading import parse_cluster
from crosswind.runs.pods.jobs import STAGE_LABEL
from tests.cluster.clusters import Cluster
from tests.cluster.manifests import job, pod, pod_spec
from tests.cluster.plane import ControlPlane

pytestmark = pytest.mark.xdist_group("cluster")

_DOCUMENT = """
apiVersion: crosswind.dev/v1
kind: Cluster
metadata: {name: example}
spec:
  connection: {kind: server, endpoint: "https://127.0.0.1", secret: example}
  namespacePrefix: cwb-
  images: {registry: registry.example.com, tag: "1"}
  limits: {teamPods: 7, teamCpu: 40, teamMemoryGib: 80}
"""
_TEAMS = ("shop", "bank")
_SHOP, _BANK = "cwb-shop", "cwb-bank"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


@pytest.fixture(scope="module")
def bundle(cluster: Cluster) -> Iterator[list[dict[str, Any]]]:
    """The bundle, applied."""
    options = BundleOptions(cluster=parse_cluster(_DOCUMENT), teams=_TEAMS)
    objects = [each for part in objects_of(options).values() for each in part]
    with OperatedCluster.opened(cluster.admin, None) as operated:
        done = operated.apply(objects, dry_run=False, force=False)
        assert not [each for each in done if each.error], done
    yield objects
    for namespace in (_SHOP, _BANK, "crosswind-system"):
        cluster.core.delete_namespace(namespace, propagation_policy="Background")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The cluster's document."""
    path = tmp_path / "cluster.yaml"
    path.write_text(_DOCUMENT, encoding="utf-8")
    return path


def _refused(error: pytest.ExceptionInfo[ApiException]) -> str:
    return str(json.loads(error.value.body or "{}").get("message"))


def test_applying_again_changes_nothing_and_says_so(
    cluster: Cluster, bundle: list[dict[str, Any]], file: Path
) -> None:
    words = ["-f", str(file), "--teams", "shop,bank", "--kubeconfig", str(cluster.admin)]
    again = CliRunner().invoke(app, ["clusters", "apply", *words, "--json"])
    assert again.exit_code == 0, again.output
    objects = json.loads(again.stdout)["objects"]
    assert len(objects) == len(bundle)
    assert {each["change"] for each in objects} == {"unchanged"}

    more = [
        *words[:-2][:-1],
        "shop,bank,new",
        *words[-2:],
        "--allow",
        "10.0.0.0/8:8080",
        "--dry-run",
        "--json",
    ]
    dry = CliRunner().invoke(app, ["clusters", "apply", *more])
    assert dry.exit_code == 0, dry.output
    changes = {
        (each["object"], each["namespace"]): each["change"] for each in json.loads(dry.stdout)["objects"]
    }
    assert changes[("Namespace/cwb-new", None)] == "created"
    assert changes[("NetworkPolicy/allow-told", _SHOP)] == "created"
    assert changes[("ClusterRole/crosswind-launcher", None)] == "changed"  # it names the namespaces
    assert changes[("ResourceQuota/crosswind", _SHOP)] == "unchanged"
    assert not [each for each in cluster.core.list_namespace().items if each.metadata.name == "cwb-new"]


def test_the_folder_is_a_kustomization(cluster: Cluster, file: Path, tmp_path: Path) -> None:
    if cluster.kubectl_path is None:
        pytest.skip("there is no kubectl beside this cluster")
    words = ["clusters", "render", "-f", str(file), "--teams", "shop,bank", "-o", str(tmp_path / "made")]
    assert CliRunner().invoke(app, words).exit_code == 0
    built = cluster.kubectl("kustomize", str(tmp_path / "made"))
    assert built.returncode == 0, built.stderr
    names = {f"{each['kind']}/{each['metadata']['name']}" for each in yaml.safe_load_all(built.stdout)}
    assert {"Namespace/cwb-shop", "Namespace/cwb-bank", "Role/crosswind-launcher"} <= names


def test_what_another_manager_owns_is_not_taken_over_unasked(
    cluster: Cluster, bundle: list[dict[str, Any]]
) -> None:
    quota = copy.deepcopy(next(each for each in bundle if each["kind"] == "ResourceQuota"))
    quota["spec"]["hard"]["pods"] = "9"
    with OperatedCluster.opened(cluster.admin, None) as operated:
        cluster.core.patch_namespaced_resource_quota("crosswind", _SHOP, {"spec": {"hard": {"pods": "8"}}})
        (kept,) = operated.apply([quota], dry_run=False, force=False)
        assert "conflict" in str(kept.error)
        assert "--force-conflicts" in str(kept.error)
        (taken,) = operated.apply([quota], dry_run=False, force=True)
        assert taken.change == "changed"
        quota["spec"]["hard"]["pods"] = "7"
        operated.apply([quota], dry_run=False, force=True)


def test_a_pod_that_wants_too_much_is_refused_and_one_like_ours_is_not(
    cluster: Cluster, bundle: list[dict[str, Any]]
) -> None:
    cluster.wait_for_default_account(_SHOP)
    greedy = pod("greedy", pod_spec() | {"hostNetwork": True})
    with pytest.raises(ApiException) as error:
        cluster.core.create_namespaced_pod(_SHOP, greedy, dry_run="All")
    assert "violates PodSecurity" in _refused(error)
    assert cluster.core.create_namespaced_pod(_SHOP, pod("modest"), dry_run="All").metadata.name == "modest"
    huge = pod_spec()
    huge["containers"][0]["resources"] = {"requests": {"cpu": "17"}, "limits": {"cpu": "17"}}
    with pytest.raises(ApiException) as error:
        cluster.core.create_namespaced_pod(_SHOP, pod("huge", huge), dry_run="All")
    assert "maximum cpu usage per Pod is 16" in _refused(error)
    with pytest.raises(ApiException) as error:
        cluster.core.create_namespaced_service(
            _SHOP, {"metadata": {"name": "door"}, "spec": {"ports": [{"port": 80}]}}
        )
    assert "exceeded quota" in _refused(error)


def test_the_launcher_can_do_its_role_and_nothing_beyond(
    plane: ControlPlane, bundle: list[dict[str, Any]]
) -> None:
    """Asked verb by verb over every resource that the server has, as the group that EKS puts the launcher in."""
    kubeconfig = plane.kubeconfig("someone", [LAUNCHER])
    reviews = plane.cluster.of(client.AuthorizationV1Api, kubeconfig)
    expected = {
        (verb, rule["apiGroups"][0], resource)
        for rule in LAUNCHER_RULES
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    everywhere = {(verb, "", "nodes") for verb in ("get", "list", "watch")}
    resources = resources_of(plane.cluster)
    assert len(resources) > 80
    asked = 0
    for namespace, granted in (
        (_SHOP, expected | everywhere),
        ("default", everywhere),
        ("kube-system", everywhere),
    ):
        for group, resource in resources if namespace == _SHOP else RISKY:
            for verb in VERBS:
                attributes = {
                    "verb": verb,
                    "group": group,
                    "resource": resource.partition("/")[0],
                    "subresource": resource.partition("/")[2],
                    "namespace": namespace,
                }
                review = reviews.create_self_subject_access_review(
                    {"spec": {"resourceAttributes": attributes}}
                )
                asked += 1
                # What every signed-in user may do: ask for its own rights.
                if group in ("authorization.k8s.io", "authentication.k8s.io"):
                    continue
                assert review.status.allowed is ((verb, group, resource) in granted), attributes
    assert asked > 700


RISKY = (
    ("", "pods"),
    ("", "pods/exec"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "serviceaccounts/token"),
    ("batch", "jobs"),
    ("rbac.authorization.k8s.io", "roles"),
)


def resources_of(cluster: Cluster) -> list[tuple[str, str]]:
    """Every resource with its subresources, as discovery has them."""
    known = json.loads(cluster.raw("/apis"))["groups"]
    groups = ["/api/v1", *(f"/apis/{each['preferredVersion']['groupVersion']}" for each in known)]
    found = []
    for path in groups:
        answer = json.loads(cluster.raw(path))
        group = answer["groupVersion"].rpartition("/")[0]
        found += [(group, each["name"]) for each in answer["resources"]]
    return found


def test_the_launcher_really_makes_and_deletes_jobs(
    plane: ControlPlane, bundle: list[dict[str, Any]]
) -> None:
    batch = plane.cluster.of(client.BatchV1Api, plane.kubeconfig("someone", [LAUNCHER]))
    assert batch.create_namespaced_job(_SHOP, job("work") | {"metadata": {"name": "work"}}).metadata.uid
    batch.delete_namespaced_job("work", _SHOP, propagation_policy="Background")
    with pytest.raises(ApiException) as error:
        batch.create_namespaced_job("default", job("elsewhere"))
    assert error.value.status == 403


def test_launcher_and_observer_do_their_work_with_the_account_that_the_bundle_made(
    cluster: Cluster, bundle: list[dict[str, Any]]
) -> None:
    issued = cluster.core.create_namespaced_service_account_token(
        LAUNCHER, "crosswind-system", {"spec": {"expirationSeconds": 3600}}
    )
    token = issued.status.token
    server = ApiServer(
        cluster.endpoint.server,
        headers=lambda: {"Authorization": f"Bearer {token}"},
        certificate_authority=cluster.endpoint.authority.decode(),
    )
    jobs = KubernetesJobs(server)
    labels = {STAGE_LABEL: "bundle"}
    work = job("work")
    work["metadata"] = {"name": "observed", "namespace": _BANK, "labels": labels}
    assert jobs.create(work)
    assert not jobs.create(work), "it is there already"
    assert [(each.namespace, each.name) for each in jobs.jobs("bundle")] == [(_BANK, "observed")]
    assert jobs.node_labels() is not None
    assert jobs.delete(_BANK, "observed")


def test_the_runner_can_do_nothing(cluster: Cluster, bundle: list[dict[str, Any]]) -> None:
    reviews = cluster.of(client.AuthorizationV1Api, cluster.service_account(_SHOP, "crosswind-runner"))
    rules = reviews.create_self_subject_rules_review({"spec": {"namespace": _SHOP}}).status.resource_rules
    groups = {group for rule in rules for group in rule.api_groups}
    assert groups <= {"authorization.k8s.io", "authentication.k8s.io"}


def test_the_doctor_finds_nothing_to_mend_and_then_what_is_missing(
    cluster: Cluster, bundle: list[dict[str, Any]], file: Path
) -> None:
    cluster.wait_for_default_account(_SHOP)
    words = ["clusters", "doctor", "-f", str(file), "--kubeconfig", str(cluster.admin), "--json"]
    said = CliRunner().invoke(app, [*words, "--teams", "shop"])
    findings = {each["check"]: each for each in json.loads(said.stdout)["findings"]}
    wrong = {name for name, each in findings.items() if not each["ok"]}
    assert wrong <= {"cluster DNS", "nodes"}  # a bare control plane has neither
    assert findings["admission in cwb-shop"]["detail"] == "takes ours, refuses a privileged one"
    assert findings["clock"]["ok"]

    said = CliRunner().invoke(app, [*words, "--teams", "stranger"])
    assert said.exit_code == 2
    findings = {each["check"]: each for each in json.loads(said.stdout)["findings"]}
    assert findings["namespace cwb-stranger"]["fix"] == "crosswind clusters apply --teams stranger"
    assert not findings["rights of the launcher in cwb-stranger"]["ok"]


def test_the_doctor_notices_a_namespace_that_takes_anything(cluster: Cluster) -> None:
    options = BundleOptions(cluster=parse_cluster(_DOCUMENT.replace("cwb-", "cwopen-")), teams=("lax",))
    cluster.core.create_namespace({"metadata": {"name": "cwopen-lax"}})
    try:
        cluster.wait_for_default_account("cwopen-lax")
        with OperatedCluster.opened(cluster.admin, None) as operated:
            findings = {each.check: each for each in examine(operated, options, pause=lambda _: None)}
    finally:
        cluster.core.delete_namespace("cwopen-lax", propagation_policy="Background")
    assert findings["admission in cwopen-lax"].detail == "a privileged pod would be taken"
    assert findings["quota in cwopen-lax"].detail == "there is none"
    assert not findings["network policies in cwopen-lax"].ok
