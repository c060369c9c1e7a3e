"""Everything that can become of a pod, played at once: tests look at it, and `shapes` writes it down."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.cluster.clusters import Cluster, plain, wait_for
from tests.cluster.history import PodHistory, pod_history
from tests.cluster.manifests import RESTRICTED, container, job, pod_spec
from tests.cluster.simulated import GROUP, Kind, SimulatedNodes, Size, selector, toleration
from tests.cluster.stages import Fate, fate

_URGENT = "urgent"
_NODES, _SMALL, _FRAIL = "scene", "small", "frail"
_IMAGE = "registry.example/suite:missing"
_FATES = {
    "succeeded": fate(Fate.SUCCEED),
    "failed": fate(Fate.FAIL, exit_code=3),
    "oom": fate(Fate.OOM, container="tests"),
    "evicted": fate(Fate.EVICT, after=1),
    "deadline-of-pod": fate(Fate.DEADLINE, after=1),
    "image-pull": fate(Fate.IMAGE_PULL),
    "config-error": fate(Fate.CONFIG_ERROR),
}


@dataclass
class Scene:
    """A namespace in which each Job is named by what becomes of its pod."""

    cluster: Cluster
    namespace: str
    history: PodHistory
    began: float = field(default_factory=time.monotonic)

    def job(self, name: str) -> dict[str, Any]:
        """A Job as it is now."""
        return plain(self.cluster.batch.read_namespaced_job(name, self.namespace))

    def job_failure(self, name: str) -> str:
        """Why a Job failed; empty while it has not."""
        conditions = self.job(name)["status"].get("conditions", [])
        return next((str(each["reason"]) for each in conditions if each["type"] == "Failed"), "")

    def events(self, reason: str) -> list[dict[str, Any]]:
        """The events of a reason."""
        found = self.cluster.core.list_namespaced_event(self.namespace, field_selector=f"reason={reason}")
        return [plain(each) for each in found.items]

    def pod_name(self, name: str) -> str:
        """The pod of a Job."""
        found = wait_for(
            lambda: (
                self.cluster.core.list_namespaced_pod(
                    self.namespace, label_selector=f"batch.kubernetes.io/job-name={name}"
                ).items
            ),
            what=f"the pod of {name}",
        )
        return str(found[0].metadata.name)

    def wait_for_phase(self, name: str, phase: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the watch has shown a Job's pod in a phase; that version of it."""
        return self.wait_for(
            name, lambda pod: pod["status"].get("phase") == phase, what=phase, seconds=seconds
        )

    def wait_for(self, name: str, is_meant: Any, *, what: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until the watch has shown a version of a Job's pod; the last one of that kind."""
        return wait_for(
            lambda: next((pod for pod in reversed(self.history.of(name)) if is_meant(pod)), {}),
            what=f"{name}: {what}; it is {self.history.last(name).get('status')}",
            seconds=seconds,
        )


@contextmanager
def played(
    cluster: Cluster, nodes: SimulatedNodes, small: SimulatedNodes, frail: SimulatedNodes
) -> Iterator[Scene]:
    """Let everything happen.

    Args:
        nodes: Fargate and spot nodes; of the spot nodes one is interrupted and one deleted.
        small: One on-demand node with room for a single pod.
        frail: A node that falls silent in the end.
    """
    with (
        cluster.namespace("scene", RESTRICTED) as namespace,
        pod_history(cluster, namespace) as history,
        ThreadPoolExecutor(max_workers=6) as pool,
    ):
        scene = Scene(cluster, namespace, history)
        for done in [pool.submit(_create, scene, manifest) for manifest in _jobs()]:
            done.result()
        for name in ("spot-interruption", "node-deleted", "preempted", "node-silent", "deleted"):
            scene.wait_for_phase(name, "Running")
        nodes.interrupt(scene.history.last("spot-interruption")["spec"]["nodeName"])
        nodes.remove_node(scene.history.last("node-deleted")["spec"]["nodeName"])
        cluster.batch.delete_namespaced_job("deleted", namespace, propagation_policy="Foreground")
        _create(scene, _on(Kind.ON_DEMAND, "urgent", group=_SMALL, priorityClassName=_URGENT, cpu="2"))
        with frail.silent():
            yield scene


@contextmanager
def urgency(cluster: Cluster) -> Iterator[None]:
    """A priority class that preempts."""
    cluster_wide = cluster.of(client.SchedulingV1Api)
    cluster_wide.create_priority_class({"metadata": {"name": _URGENT}, "value": 1000})
    try:
        yield
    finally:
        cluster_wide.delete_priority_class(_URGENT)


@contextmanager
def stage_of(cluster: Cluster, kwok: Path, folder: Path) -> Iterator[Scene]:
    """The nodes of a scene, and the scene."""
    # Apart: no other test's pod may come to stand on a node that is lost here.
    nodes = SimulatedNodes(kwok, cluster, folder, group=_NODES, apart=True)
    small = SimulatedNodes(kwok, cluster, folder, group=_SMALL, apart=True)
    frail = SimulatedNodes(kwok, cluster, folder, group=_FRAIL, apart=True, lease_seconds=8)
    try:
        nodes.start({Kind.FARGATE: 4, Kind.SPOT: 2})
        small.start({Kind.ON_DEMAND: 1}, size=Size(cpu="2", memory="4Gi", pods=10))
        frail.start({Kind.FARGATE: 1})
        with urgency(cluster), played(cluster, nodes, small, frail) as scene:
            yield scene
    finally:
        for group in (frail, small, nodes):
            group.stop()


def _create(scene: Scene, manifest: dict[str, Any]) -> None:
    scene.cluster.batch.create_namespaced_job(scene.namespace, manifest)


def _jobs() -> list[dict[str, Any]]:
    """One Job for each thing that can happen."""
    found = [_on(Kind.FARGATE, name, annotations=annotations) for name, annotations in _FATES.items()]
    late = _on(Kind.FARGATE, "deadline-of-job")
    late["spec"]["activeDeadlineSeconds"] = 3
    nowhere = _on(Kind.FARGATE, "unschedulable", nodeSelector={"topology.kubernetes.io/zone": "nowhere"})
    huge = _on(Kind.FARGATE, "too-large", cpu="5000")
    refused = job("refused", pod_spec(container("pause", securityContext={"privileged": True})))
    silent = _on(Kind.FARGATE, "node-silent", group=_FRAIL)
    spot = [_on(Kind.SPOT, name, spread=True) for name in ("spot-interruption", "node-deleted")]
    gentle = _on(Kind.ON_DEMAND, "preempted", group=_SMALL, cpu="2")
    return [*found, late, nowhere, huge, refused, silent, *spot, gentle, _on(Kind.FARGATE, "deleted")]


def _on(
    kind: Kind,
    name: str,
    *,
    group: str = _NODES,
    annotations: dict[str, str] | None = None,
    cpu: str = "1",
    spread: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """A Job of an agent and its tests on a kind of node."""
    sized = {"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"cpu": cpu, "memory": "64Mi"}}
    spec = pod_spec(
        container("pause", name="agent", image=_IMAGE) | {"resources": {}},
        container("pause", name="tests", image=_IMAGE, resources=sized),
        **{
            "nodeSelector": selector(kind) | {GROUP: group},
            "tolerations": [*toleration(kind), {"key": GROUP, "operator": "Exists"}],
            **more,
        },
    )
    if spread:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"spread": "true"}}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    made = job(name, spec, annotations)
    made["spec"]["template"]["metadata"]["labels"] = {"spread": "true"} if spread else {}
    return made
