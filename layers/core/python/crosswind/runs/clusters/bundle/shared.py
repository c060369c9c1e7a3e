"""What all namespaces share: priorities, who may look at nodes and pods, the launcher's own account. Pure."""

from crosswind.contracts.suites import Priority
from crosswind.runs.clusters.bundle.namespaces import launcher_subjects
from crosswind.runs.clusters.bundle.options import (
    LAUNCHER,
    OBSERVER,
    PART_OF,
    POD_SECURITY_VERSION,
    BundleOptions,
)
from crosswind.runs.clusters.bundle.structural import Json
from crosswind.runs.pods.naming import SYSTEM

_RBAC = "rbac.authorization.k8s.io"
_VALUES = {Priority.P0: 3000, Priority.P1: 2000, Priority.P2: 1000}


def priority_classes() -> list[Json]:
    """Higher ones are placed first, but push nobody out: a pod that runs has cost its start already."""
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": f"crosswind-{priority.value.lower()}", "labels": PART_OF},
            "value": _VALUES[priority],
            "globalDefault": False,
            "preemptionPolicy": "Never",
            "description": f"Pods of tests of priority {priority.value}.",
        }
        for priority in Priority
    ]


def shared_objects(options: BundleOptions) -> list[Json]:
    """The launcher's account where it needs one, and who may read beyond a namespace."""
    namespaces = [options.namespace(team) for team in options.teams]
    objects = [
        _cluster_role(
            LAUNCHER,
            [
                {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
                {
                    "apiGroups": [""],
                    "resources": ["namespaces"],
                    "resourceNames": namespaces,
                    "verbs": ["get"],
                },
            ],
        ),
        _cluster_binding(LAUNCHER, launcher_subjects(options)),
        # One list for all teams instead of one for each: it cannot be bounded to namespaces, so it is apart.
        _cluster_role(
            OBSERVER,
            [
                {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "watch"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
            ],
        ),
        _cluster_binding(OBSERVER, _observers(options)),
    ]
    if not options.on_eks:
        return [_system(), _launcher_account(), *objects]
    return [_system(), *objects] if options.controller else objects


def _observers(options: BundleOptions) -> list[Json]:
    return [
        each | {"name": OBSERVER} if each["kind"] == "Group" else each for each in launcher_subjects(options)
    ]


def _system() -> Json:
    """Where the launcher's account lives, and the controller."""
    labels = PART_OF | {
        f"pod-security.kubernetes.io/enforce{suffix}": value
        for suffix, value in (("", "restricted"), ("-version", POD_SECURITY_VERSION))
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM, "labels": labels}}


def _launcher_account() -> Json:
    """No pod runs as it, so nothing can mount its token."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": LAUNCHER, "namespace": SYSTEM, "labels": PART_OF},
        "automountServiceAccountToken": False,
    }


def _cluster_role(name: str, rules: list[Json]) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": PART_OF},
        "rules": rules,
    }


def _cluster_binding(name: str, subjects: list[Json]) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": PART_OF},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
        "subjects": subjects,
    }
