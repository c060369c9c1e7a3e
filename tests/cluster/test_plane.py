"""A real control plane enforces what AWS's would: admission, rights, schemas, quotas."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from crosswind.local.home import LocalError
from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.manifests import container, job, pod, pod_spec
from tests.cluster.plane import API_SERVER, ControlPlane, PlaneOptions

pytestmark = pytest.mark.xdist_group("cluster")

_DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "wonders.test.crosswind.dev"},
    "spec": {
        "group": "test.crosswind.dev",
        "names": {"kind": "Wonder", "plural": "wonders"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["shards"],
                                "properties": {"shards": {"type": "integer", "maximum": 10}},
                                "x-kubernetes-validations": [
                                    {"rule": "self.shards % 2 == 0", "message": "shards come in pairs"}
                                ],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def refused(error: pytest.ExceptionInfo[ApiException], status: int) -> str:
    """What the API server said to a request that it refused with this status."""
    assert error.value.status == status, error.value.body
    return str(json.loads(error.value.body or "{}").get("message"))


def test_every_part_of_the_plane_is_well(cluster: Cluster) -> None:
    assert "readyz check passed" in cluster.raw("/readyz?verbose")
    version = cluster.of(client.VersionApi).get_code()
    assert int(version.major) == 1


def test_the_plane_is_the_version_that_is_pinned(plane: ControlPlane) -> None:
    if not plane.has_controllers:
        pytest.skip("KUBEBUILDER_ASSETS decides the version")
    module = Path(__file__).with_name("tools").joinpath("kubernetes/go.mod").read_text(encoding="utf-8")
    pinned = re.search(r"k8s.io/kubernetes (v\S+)", module)
    assert pinned
    said = json.loads(plane.cluster.kubectl("version", "--output=json").stdout)
    assert said["serverVersion"]["gitVersion"] == said["clientVersion"]["gitVersion"] == pinned[1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"hostNetwork": True}, "host namespaces"),
        ({"volumes": [{"name": "disk", "hostPath": {"path": "/"}}]}, "restricted volume types"),
        ({"securityContext": {"runAsUser": 0}}, "runAsNonRoot"),
        ({"containers": [{"name": "tests", "image": "suite", "args": ["run"]}]}, "allowPrivilegeEscalation"),
    ],
    ids=["host-network", "host-path", "root", "no-security-context"],
)
def test_a_pod_that_wants_too_much_is_refused(
    cluster: Cluster, namespace: str, change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ApiException) as error:
        cluster.core.create_namespaced_pod(namespace, pod("greedy", pod_spec() | change))
    said = refused(error, 403)
    assert "violates PodSecurity" in said
    assert complaint in said


def test_a_pod_without_rights_is_admitted(cluster: Cluster, namespace: str) -> None:
    made = cluster.core.create_namespaced_pod(namespace, pod("modest"))
    assert made.metadata.uid


def test_a_job_whose_pods_are_refused_says_so_in_events_only(
    working_cluster: Cluster, namespace: str
) -> None:
    greedy = pod_spec(container("pause", securityContext={"privileged": True}))
    working_cluster.batch.create_namespaced_job(namespace, job("greedy", greedy))
    events = wait_for(
        lambda: (
            working_cluster.core.list_namespaced_event(namespace, field_selector="reason=FailedCreate").items
        ),
        what="the FailedCreate event",
    )
    assert "violates PodSecurity" in events[0].message
    assert events[0].involved_object.name == "greedy"
    status = working_cluster.batch.read_namespaced_job("greedy", namespace).status
    assert not status.failed  # the Job itself never fails of it
    assert not status.conditions


def test_a_pod_beyond_the_quota_is_refused(working_cluster: Cluster, namespace: str) -> None:
    core = working_cluster.core
    quota = {"metadata": {"name": "team"}, "spec": {"hard": {"requests.memory": "100Mi"}}}
    core.create_namespaced_resource_quota(namespace, quota)
    wait_for(
        lambda: core.read_namespaced_resource_quota("team", namespace).status.hard, what="the quota's status"
    )
    with pytest.raises(ApiException) as error:
        core.create_namespaced_pod(namespace, pod("large", pod_spec(container("pause", memory="1Gi"))))
    assert "exceeded quota: team" in refused(error, 403)


def test_an_account_can_do_what_its_role_says_and_nothing_else(cluster: Cluster, namespace: str) -> None:
    cluster.core.create_namespaced_service_account(namespace, {"metadata": {"name": "launcher"}})
    rights = cluster.of(client.RbacAuthorizationV1Api)
    rules = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get"]}]
    rights.create_namespaced_role(namespace, {"metadata": {"name": "launcher"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "launcher", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "launcher"}
    binding = {"metadata": {"name": "launcher"}, "subjects": [subject], "roleRef": role}
    rights.create_namespaced_role_binding(namespace, binding)

    launcher = cluster.service_account(namespace, "launcher")
    jobs, core = cluster.of(client.BatchV1Api, launcher), cluster.of(client.CoreV1Api, launcher)
    attempts: list[Callable[[], object]] = [
        lambda: jobs.delete_namespaced_job("allowed", namespace),
        lambda: jobs.create_namespaced_job("default", job("elsewhere")),
        lambda: core.list_namespaced_secret(namespace),
        core.list_node,
    ]
    assert jobs.create_namespaced_job(namespace, job("allowed")).metadata.uid
    for attempt in attempts:
        with pytest.raises(ApiException) as error:
            attempt()
        said = refused(error, 403)
        assert f"system:serviceaccount:{namespace}:launcher" in said


def test_a_user_is_who_the_certificate_says(plane: ControlPlane) -> None:
    someone = plane.kubeconfig("kim", ["team:shop", "people"])
    reviews = plane.cluster.of(client.AuthenticationV1Api, someone)
    review = reviews.create_self_subject_review({}).status.user_info
    assert review.username == "kim"
    assert set(review.groups) == {"team:shop", "people", "system:authenticated"}
    with pytest.raises(ApiException) as error:
        plane.cluster.of(client.CoreV1Api, someone).list_namespaced_pod("default")
    assert '"kim" cannot list resource' in refused(error, 403)


def test_a_schema_is_enforced(cluster: Cluster, namespace: str) -> None:
    definitions = cluster.of(client.ApiextensionsV1Api)
    definitions.create_custom_resource_definition(copy.deepcopy(_DEFINITION))
    try:
        name = _DEFINITION["metadata"]["name"]
        wait_for(
            lambda: any(
                each.type == "Established" and each.status == "True"
                for each in definitions.read_custom_resource_definition(name).status.conditions or []
            ),
            what="the definition",
        )
        wonders = cluster.of(client.CustomObjectsApi)

        def create(spec: dict[str, Any]) -> Any:
            body = {
                "apiVersion": "test.crosswind.dev/v1",
                "kind": "Wonder",
                "metadata": {"generateName": "w-"},
                "spec": spec,
            }
            return wonders.create_namespaced_custom_object(
                "test.crosswind.dev", "v1", namespace, "wonders", body
            )

        assert create({"shards": 4})["spec"] == {"shards": 4}
        for bad, complaint in (
            ({}, "spec.shards: Required value"),
            ({"shards": "four"}, "must be of type integer"),
            ({"shards": 12}, "less than or equal to 10"),
            ({"shards": 3}, "shards come in pairs"),
        ):
            with pytest.raises(ApiException) as error:
                create(bad)
            assert complaint in refused(error, 422)
    finally:
        definitions.delete_custom_resource_definition(_DEFINITION["metadata"]["name"])


def test_manifests_are_applied_as_people_do_it(cluster: Cluster, namespace: str) -> None:
    if cluster.kubectl_path is None:
        pytest.skip("there is no kubectl")
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": namespace}}
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "two", "namespace": namespace},
    }
    assert cluster.apply(settings | {"data": {"size": "1"}}, account).count("serverside-applied") == 2
    cluster.apply(settings | {"data": {"size": "2"}})
    assert cluster.core.read_namespaced_config_map("one", namespace).data == {"size": "2"}
    with pytest.raises(LocalError, match="no matches for kind"):
        cluster.apply(settings | {"kind": "Wonder"})


def test_an_api_server_that_is_paused_answers_when_it_goes_on(plane: ControlPlane) -> None:
    plane.pause(API_SERVER)
    try:
        assert not plane.is_ready()
    finally:
        plane.resume(API_SERVER)
    plane.wait_ready(seconds=10)


def test_what_each_program_takes_can_be_read(plane: ControlPlane) -> None:
    taken = plane.usage()
    assert set(taken) >= {"etcd", API_SERVER}
    assert all(each["cpu_seconds"] > 0 and each["peak_mib"] > 10 for each in taken.values())


def test_a_plane_that_cannot_start_says_why_and_leaves_nothing(plane: ControlPlane, tmp_path: Path) -> None:
    broken = ControlPlane(plane.tools, tmp_path, PlaneOptions(api_server_flags=("--no-such-flag",)))
    with pytest.raises(LocalError, match="no-such-flag"):
        broken.start()
    assert broken.usage() == {}
