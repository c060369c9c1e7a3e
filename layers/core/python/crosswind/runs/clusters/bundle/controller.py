"""The in-cluster controller: its account, what it may do, and its one pod. Pure.

It acts on Crosswind's own kinds in every namespace, and on Jobs only where teams have theirs.
"""

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.custom_resources import GROUP
from crosswind.runs.clusters.bundle.definitions import KINDS
from crosswind.runs.clusters.bundle.options import (
    CONTROLLER,
    PART_OF,
    BundleOptions,
    ControllerOptions,
)
from crosswind.runs.clusters.bundle.structural import Json
from crosswind.runs.pods.naming import SYSTEM

HEALTH_PORT = 8081
TOKEN_FOLDER = "/var/run/secrets/crosswind"  # noqa: S105  # a folder
_RBAC = "rbac.authorization.k8s.io"
_IRSA = "eks.amazonaws.com/role-arn"
_STEADY = (CapacityKind.FARGATE, CapacityKind.ON_DEMAND, CapacityKind.NODES)
_USER = 10001
_PLURALS = [each.plural for each in KINDS]

CONTROLLER_RULES: tuple[Json, ...] = (
    {"apiGroups": [GROUP], "resources": _PLURALS, "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": [GROUP], "resources": [f"{each}/status" for each in _PLURALS], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["get", "list", "watch"]},
    {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "verbs": ["list", "watch"],
    },
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
)
TEAM_RULES: tuple[Json, ...] = (
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
)


def controller_objects(options: BundleOptions) -> list[Json]:
    """Everything of it; nothing unless its operator asks for it."""
    wanted = options.controller
    if wanted is None:
        return []
    objects = [
        _account(wanted),
        _role("ClusterRole", CONTROLLER_RULES),
        _binding("ClusterRole"),
        _shut(),
        _deployment(options, wanted),
    ]
    for team in options.teams:
        namespace = options.namespace(team)
        objects += [_role("Role", TEAM_RULES, namespace), _binding("Role", namespace)]
    return objects


def _metadata(namespace: str | None, **more: Json) -> Json:
    place = {"namespace": namespace} if namespace else {}
    return {"name": CONTROLLER, **place, "labels": PART_OF, **more}


def _account(wanted: ControllerOptions) -> Json:
    more = {"annotations": {_IRSA: wanted.role_arn}} if wanted.role_arn else {}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(SYSTEM, **more)}


def _role(kind: str, rules: tuple[Json, ...], namespace: str | None = None) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(namespace),
        "rules": [dict(each) for each in rules],
    }


def _binding(kind: str, namespace: str | None = None) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": _metadata(namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": CONTROLLER},
        "subjects": [{"kind": "ServiceAccount", "name": CONTROLLER, "namespace": SYSTEM}],
    }


def _shut() -> Json:
    """Nothing calls it but the kubelet, which no policy keeps out."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(SYSTEM),
        "spec": {"podSelector": {"matchLabels": _selected()}, "policyTypes": ["Ingress"]},
    }


def _selected() -> Json:
    return {"app.kubernetes.io/name": CONTROLLER}


def _deployment(options: BundleOptions, wanted: ControllerOptions) -> Json:
    """One pod, and never two at once: an old one is gone before the next begins."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(SYSTEM),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _selected()},
            "template": _template(options, wanted),
        },
    }


def _template(options: BundleOptions, wanted: ControllerOptions) -> Json:
    offer = next((found for kind in _STEADY if (found := options.offer(kind)) is not None), None)
    spec: Json = {
        "serviceAccountName": CONTROLLER,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 30,
        "containers": [_container(wanted)],
        "volumes": [{"name": "token", "secret": {"secretName": CONTROLLER, "defaultMode": 0o440}}],
    }
    if offer is not None and offer.node_selector:
        spec["nodeSelector"] = dict(offer.node_selector)
    if offer is not None and offer.tolerations:
        spec["tolerations"] = [
            each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in offer.tolerations
        ]
    labels = PART_OF | _selected() | (dict(offer.labels) if offer else {})
    return {"metadata": {"labels": labels}, "spec": spec}


def _container(wanted: ControllerOptions) -> Json:
    size = {"cpu": "250m", "memory": "512Mi"}
    probe = {"httpGet": {"path": "/healthz", "port": HEALTH_PORT}, "periodSeconds": 10, "timeoutSeconds": 5}
    told = {
        "CROSSWIND_ENDPOINT": wanted.endpoint,
        "CROSSWIND_TOKEN_FILE": f"{TOKEN_FOLDER}/token",
        "CROSSWIND_HEALTH_ADDRESS": f"0.0.0.0:{HEALTH_PORT}",
    }
    return {
        "name": "controller",
        "image": wanted.image,
        "env": [{"name": name, "value": value} for name, value in told.items()],
        # What it takes to watch pods: the cluster's name, and the names of the deployment's tables and queues.
        "envFrom": [{"configMapRef": {"name": CONTROLLER, "optional": True}}],
        "resources": {"requests": size, "limits": size},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "ports": [{"name": "health", "containerPort": HEALTH_PORT}],
        "livenessProbe": probe | {"failureThreshold": 6},
        "readinessProbe": probe,
        "volumeMounts": [{"name": "token", "mountPath": TOKEN_FOLDER, "readOnly": True}],
    }
