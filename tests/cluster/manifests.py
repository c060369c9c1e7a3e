"""Pods and Jobs for tests, as Pod Security `restricted` lets them pass."""

from collections.abc import Mapping, Sequence
from typing import Any

RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
IMAGE = "crosswind.test/probe:1"


def container(
    *arguments: str, name: str = "tests", image: str = IMAGE, memory: str = "64Mi", **more: Any
) -> dict[str, Any]:
    """A container without rights."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "args": list(arguments),
        "resources": {
            "requests": {"cpu": "100m", "memory": memory},
            "limits": {"cpu": "500m", "memory": memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        **more,
    }


def pod_spec(*containers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A pod that runs once, as user 1000, without an account's token."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 2,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [dict(each) for each in containers or (container("say", "hello"),)],
        **more,
    }


def pod(
    name: str, spec: Mapping[str, Any] | None = None, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A bare pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": dict(spec or pod_spec()),
    }


def job(
    name: str,
    spec: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A Job of one pod, without retries of its own."""
    template = {"metadata": {"annotations": dict(annotations or {})}, "spec": dict(spec or pod_spec())}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template, **more},
    }


def failed_by(conditions: Sequence[Any]) -> str:
    """The reason of a Job's failure, if it has failed."""
    return next(
        (str(each.reason) for each in conditions if each.type == "Failed" and each.status == "True"), ""
    )
