"""What a namespace's pods and events went through, told by a watch: also of pods that are gone by now."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import urllib3
from kubernetes import watch
from kubernetes.client.exceptions import ApiException

from tests.cluster.clusters import Cluster


@dataclass
class PodHistory:
    """Every version of every pod, in order, as the API server's JSON."""

    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def of(self, name: str) -> list[dict[str, Any]]:
        """The versions of a pod; a Job's pod is found by the Job's name, too."""
        return next(
            (
                found
                for each, found in list(self.versions.items())
                if each == name or each.startswith(f"{name}-")
            ),
            [],
        )

    def last(self, name: str) -> dict[str, Any]:
        """The last version of a pod that was seen."""
        found = self.of(name)
        return found[-1] if found else {}

    def phases(self, name: str) -> list[str]:
        """The phases of a pod, each once."""
        seen = [version["status"].get("phase", "") for version in self.of(name)]
        return list(dict.fromkeys(seen))

    def is_gone(self, name: str) -> bool:
        """Whether the pod was deleted."""
        return any(each == name or each.startswith(f"{name}-") for each in list(self.deleted))


@contextmanager
def pod_history(cluster: Cluster, namespace: str) -> Iterator[PodHistory]:
    """Watch a namespace's pods in the background."""
    history = PodHistory()
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(cluster, namespace, history, ended), daemon=True)
    follower.start()
    try:
        yield history
    finally:
        ended.set()
        follower.join(timeout=3)


def _follow(cluster: Cluster, namespace: str, history: PodHistory, ended: threading.Event) -> None:
    while not ended.is_set():
        with suppress(ApiException, urllib3.exceptions.HTTPError):
            pods = watch.Watch().stream(
                cluster.core.list_namespaced_pod, namespace, timeout_seconds=2, _request_timeout=5
            )
            for event in pods:
                seen = event["raw_object"]
                name = seen["metadata"]["name"]
                known = history.versions.setdefault(name, [])
                # Each new watch begins with what is there.
                if (
                    not known
                    or known[-1]["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"]
                ):
                    known.append(seen)
                if event["type"] == "DELETED":
                    history.deleted.add(name)


def trimmed(pod: dict[str, Any]) -> dict[str, Any]:
    """What tells of a pod's fate: its status, and those parts of its metadata that do."""
    metadata = pod["metadata"]
    kept = ("name", "annotations", "labels", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers")
    chosen = {key: metadata[key] for key in kept if metadata.get(key) is not None}
    spec = {"nodeName": pod["spec"].get("nodeName"), "restartPolicy": pod["spec"].get("restartPolicy")}
    return {"metadata": chosen, "spec": spec, "status": pod["status"]}
