"""Nodes that are not there: KWOK answers for them and plays their pods, a thousand of them on one small machine.

Scheduler, Job controller, eviction and node life cycle are the real ones; only what a kubelet would do is played.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from kubernetes.client.exceptions import ApiException

from crosswind.local import processes
from crosswind.local.home import LOOPBACK, LocalError, ProcessRef
from tests.cluster.children import end_child, start_child, tail, usage
from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.stages import Fate, fate, stages

COMPUTE_TYPE = "eks.amazonaws.com/compute-type"
CAPACITY_TYPE = "karpenter.sh/capacity-type"
GROUP = "crosswind.dev/group"
_MANAGED = "kwok.x-k8s.io/node"
_ZONES = ("a", "b", "c")
_NOT_FOUND = 404


class Kind(StrEnum):
    """What a simulated node passes for."""

    FARGATE = "fargate"
    SPOT = "spot"
    ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True)
class Size:
    """What a node offers."""

    cpu: str = "256"
    memory: str = "1Ti"
    pods: int = 250


def toleration(kind: Kind) -> list[dict[str, str]]:
    """What a pod's spec needs to be let onto such nodes."""
    return [
        {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}
        for key, value in _taints(kind)
    ]


def selector(kind: Kind) -> dict[str, str]:
    """The node selector that keeps a pod on such nodes."""
    return {COMPUTE_TYPE: "fargate"} if kind is Kind.FARGATE else {CAPACITY_TYPE: kind.value}


@dataclass
class SimulatedNodes:
    """Nodes of one KWOK process; several groups live beside each other, and one can fall silent alone."""

    kwok: Path
    cluster: Cluster
    folder: Path
    group: str = "fake"
    lease_seconds: int = 40
    """How long a heartbeat is good for; they come a quarter as often."""
    tainted: bool = True
    """Whether Fargate's nodes have its taint, which on AWS its own scheduler passes by."""
    apart: bool = False
    """Whether only pods that tolerate the group are let on: its nodes can be lost without harm to others' pods."""
    _process: ProcessRef | None = None
    _nodes: dict[str, Kind] = field(default_factory=dict)

    def start(self, counts: Mapping[Kind, int], *, size: Size | None = None) -> None:
        """Make the nodes and wait until the scheduler may use them. Raises LocalError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / f"{self.group}-stages.yaml"
        configuration.write_text(stages(), encoding="utf-8")
        port = processes.free_ports(1)[0]
        command = [
            str(self.kwok),
            f"--kubeconfig={self.cluster.admin}",
            f"--config={configuration}",
            f"--manage-nodes-with-annotation-selector={_MANAGED}={self.group}",
            f"--node-ip={LOOPBACK}",
            f"--node-lease-duration-seconds={self.lease_seconds}",
            f"--server-address={LOOPBACK}:{port}",
            "--cidr=10.240.0.1/16",
        ]
        # KWOK reads ~/.kwok, too, if there is one: this group has its own stages only.
        self._process = start_child(command, log=self.log, environ={"HOME": str(self.folder)})
        try:
            for kind, count in counts.items():
                for number in range(count):
                    self.add_node(kind, f"{self.group}-{kind}-{number}", size=size)
            wait_for(self._all_ready, what=f"the nodes of {self.group} ({self.log})")
        except BaseException as error:
            said = tail(self.log)
            self.stop()
            if isinstance(error, LocalError):
                raise LocalError(f"{error}\n{said}") from error
            raise

    def stop(self) -> None:
        """End KWOK and forget its nodes."""
        end_child(self._process)
        self._process = None
        with suppress(Exception):  # a test may have taken the cluster away
            for name in list(self._nodes):
                self.remove_node(name)

    @property
    def log(self) -> Path:
        """Where KWOK writes to."""
        return self.folder / f"{self.group}-kwok.log"

    @property
    def names(self) -> list[str]:
        """The nodes that are there."""
        return list(self._nodes)

    def of(self, kind: Kind) -> list[str]:
        """The nodes of a kind that are there."""
        return [name for name, each in self._nodes.items() if each is kind]

    def usage(self) -> dict[str, float]:
        """What KWOK took so far."""
        assert self._process is not None
        return usage(self._process)

    def add_node(self, kind: Kind, name: str, *, size: Size | None = None) -> None:
        """One more node."""
        self.cluster.core.create_node(self._manifest(name, kind, size or Size()))
        self._nodes[name] = kind

    def remove_node(self, name: str) -> None:
        """Delete a node behind its pods' back, as an instance that is gone: pods are collected some 40 to 60 s later."""
        self._nodes.pop(name, None)
        try:
            self.cluster.core.delete_node(name, grace_period_seconds=0)
        except ApiException as error:
            if error.status != _NOT_FOUND:
                raise

    @contextmanager
    def silent(self) -> Iterator[None]:
        """No heartbeats, and nothing is done to the pods, of all nodes of this group."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def interrupt(self, name: str, *, notice_seconds: float = 0) -> list[str]:
        """Take a spot node back as Karpenter does: taint it, evict its pods, delete it when they are gone. The pods' names."""
        taint = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
        self.cluster.core.patch_node(name, {"spec": {"taints": [taint], "unschedulable": True}})
        time.sleep(notice_seconds)
        evicted = {}
        for pod in self._pods_on(name):
            where = pod.metadata
            body = {"metadata": {"name": where.name, "namespace": where.namespace}}
            self.cluster.core.create_namespaced_pod_eviction(where.name, where.namespace, body)
            evicted[where.uid] = str(where.name)
        wait_for(
            lambda: evicted.keys().isdisjoint(pod.metadata.uid for pod in self._pods_on(name)),
            what=f"the pods of {name} to be gone",
        )
        self.remove_node(name)
        return list(evicted.values())

    def _pods_on(self, name: str) -> list[Any]:
        found: list[Any] = self.cluster.core.list_pod_for_all_namespaces(
            field_selector=f"spec.nodeName={name}"
        ).items
        return found

    @contextmanager
    def closed(self, kind: Kind) -> Iterator[None]:
        """No capacity: no node of this kind takes a new pod."""
        chosen = self.of(kind)
        for name in chosen:
            self.cluster.core.patch_node(name, {"spec": {"unschedulable": True}})
        try:
            yield
        finally:
            for name in chosen:
                if name in self._nodes:
                    self.cluster.core.patch_node(name, {"spec": {"unschedulable": None}})

    def befall(self, namespace: str, pods: Iterable[str], which: Fate, **details: Any) -> None:
        """Let running pods meet a fate now; `details` are those of stages.fate."""
        body = {"metadata": {"annotations": fate(which, **details)}}
        with ThreadPoolExecutor(max_workers=8) as pool:
            for done in [
                pool.submit(self.cluster.core.patch_namespaced_pod, name, namespace, body) for name in pods
            ]:
                done.result()

    def _manifest(self, name: str, kind: Kind, size: Size) -> dict[str, Any]:
        taints = [*(_taints(kind) if self.tainted else []), *([(GROUP, self.group)] if self.apart else [])]
        compute = {COMPUTE_TYPE: "fargate"} if kind is Kind.FARGATE else {CAPACITY_TYPE: kind.value}
        offered = {"cpu": size.cpu, "memory": size.memory, "pods": str(size.pods), "ephemeral-storage": "1Ti"}
        return {
            "metadata": {
                "name": name,
                "annotations": {_MANAGED: self.group},
                "labels": {
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                    "kubernetes.io/arch": "amd64",
                    "topology.kubernetes.io/zone": f"us-east-1{_ZONES[len(self._nodes) % len(_ZONES)]}",
                    "crosswind.dev/simulated": "true",
                    GROUP: self.group,
                    **compute,
                },
            },
            "spec": {
                "taints": [{"key": key, "value": value, "effect": "NoSchedule"} for key, value in taints],
            },
            "status": {"allocatable": offered, "capacity": offered},
        }

    def _all_ready(self) -> bool:
        if processes.find(self._process) is None:
            raise LocalError("KWOK ended")
        usable = {
            node.metadata.name
            for node in self.cluster.core.list_node().items
            for condition in node.status.conditions or []
            if condition.type == "Ready" and condition.status == "True"
            # The node controller taints what was not ready yet, and takes that away some moments later.
            if not any(taint.key.startswith("node.kubernetes.io/") for taint in node.spec.taints or [])
        }
        return set(self._nodes) <= usable


def _taints(kind: Kind) -> list[tuple[str, str]]:
    return [(COMPUTE_TYPE, "fargate")] if kind is Kind.FARGATE else []
