"""What befalls pods and those who look after them: each fault with the reason that is to be told of it."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kubernetes.client.exceptions import ApiException

from crosswind.runs.infrastructure import InfrastructureReason as Reason
from crosswind.runs.pods.jobs import CAPACITY_LABEL
from tests.cluster.plane import ControlPlane
from tests.cluster.simulated import Kind, SimulatedNodes
from tests.cluster.stages import Fate
from tests.e2e.conftest import Cloud
from tests.podstorm.controlling import RunningController
from tests.podstorm.front import Front

SPOT = "spot"
_NOT_FOUND = 404


@dataclass
class Weather:
    """All that a storm breaks, and what it has broken so far.

    Attributes:
        counts: Faults by name.
        expected: By pod: the reasons of which one is to be told.
        at: When each fault was, in seconds since the epoch, with its name; for a chart.
    """

    cloud: Cloud
    plane: ControlPlane
    nodes: SimulatedNodes
    fronts: Sequence[Front]
    controller: RunningController
    namespace: str
    each: int
    counts: Counter[str] = field(default_factory=Counter)
    expected: dict[str, frozenset[Reason]] = field(default_factory=dict)
    at: list[tuple[float, str]] = field(default_factory=list)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311  # no secret

    def no_spot(self, seconds: float) -> None:
        """For a while no Spot machine takes a pod: those that wait for one are to be made again, then moved on."""
        self._note("no Spot capacity")
        with self.nodes.closed(Kind.SPOT):
            time.sleep(seconds)

    def evict(self) -> None:
        """Pods are evicted by the API."""
        core = self.plane.cluster.core
        for pod in self._some("evicted", Reason.EVICTED):
            name = pod.metadata.name
            body = {"metadata": {"name": name, "namespace": self.namespace}}
            self._unless_gone(name, partial(core.create_namespaced_pod_eviction, name, self.namespace, body))

    def exhaust_memory(self) -> None:
        """Agents run out of memory."""
        names = [pod.metadata.name for pod in self._some("out of memory", Reason.OOM_RUNNER, spot=False)]
        self.nodes.befall(self.namespace, names, Fate.OOM, container="agent")

    def pressure(self) -> None:
        """Nodes run out of memory, and their kubelets evict."""
        names = [
            pod.metadata.name for pod in self._some("evicted by its kubelet", Reason.EVICTED, spot=False)
        ]
        self.nodes.befall(self.namespace, names, Fate.EVICT)

    def delete(self) -> None:
        """Somebody deletes pods."""
        core = self.plane.cluster.core
        for pod in self._some("deleted by somebody", Reason.POD_GONE, spot=False):
            name = pod.metadata.name
            self._unless_gone(name, partial(core.delete_namespaced_pod, name, self.namespace))

    def lose_node(self, kind: Kind) -> None:
        """A machine is gone, with all that ran there."""
        name = self._chance.choice(self.nodes.of(kind))
        pods = [pod for pod in self._running() if pod.spec.node_name == name]
        self._expect(pods, Reason.NODE_LOST, spot=True)
        self._note("machines lost")
        self.counts["pods on lost machines"] += len(pods)
        self.nodes.remove_node(name)

    def reclaim(self) -> None:
        """A Spot machine is reclaimed: its pods are evicted, then it goes."""
        spot = self.nodes.of(Kind.SPOT)
        if spot:
            name = self._chance.choice(spot)
            pods = [pod for pod in self._running() if pod.spec.node_name == name]
            self._expect(pods, Reason.EVICTED, spot=True)
            self._note("Spot machines reclaimed")
            self.counts["pods on reclaimed machines"] += len(pods)
            self.nodes.interrupt(name)

    def restart_api_server(self) -> None:
        """kill -9, and up again two seconds later."""
        self._note("API server killed and restarted")
        self.plane.restart_api_server(down_seconds=2)

    def disturb_calls(self, share: float) -> None:
        """From now on a share of the calls of launcher and observer gets 429, and another comes late."""
        self._note(f"{share:.0%} of calls refused, as many late")
        for front in self.fronts:
            front.disturbed_share = share

    def kill_controller(self) -> None:
        """kill -9; Kubernetes would start it anew."""
        self._note("controller killed")
        self.controller.kill()

    def kill_lambda_workers(self) -> None:
        """kill -9 of launcher, observer, and every other Lambda."""
        self._note("launcher and observer killed")
        self.counts["Lambda workers killed"] += self.cloud.kill_lambda_workers()

    def _some(self, name: str, reason: Reason, *, spot: bool = True) -> list[Any]:
        running = [pod for pod in self._running() if pod.metadata.name not in self.expected]
        chosen = self._chance.sample(running, min(self.each, len(running)))
        self._expect(chosen, reason, spot=spot)
        self._note(f"pods {name}", len(chosen))
        return chosen

    def _running(self) -> list[Any]:
        """Pods of shards whose agent runs."""
        listed = self.plane.cluster.core.list_namespaced_pod(
            self.namespace, label_selector="app.kubernetes.io/name=crosswind-shard", resource_version="0"
        )
        return [
            pod
            for pod in listed.items
            if pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None
        ]

    def _expect(self, pods: Sequence[Any], reason: Reason, *, spot: bool) -> None:
        """On Spot an eviction or a lost machine is told as what it is there as a rule."""
        for pod in pods:
            on_spot = spot and pod.metadata.labels[CAPACITY_LABEL] == SPOT
            self.expected[pod.metadata.name] = frozenset({reason, *([Reason.SPOT] if on_spot else [])})

    def _unless_gone(self, name: str, act: Callable[[], object]) -> None:
        try:
            act()
        except ApiException as error:
            if error.status != _NOT_FOUND:
                raise
            self.expected.pop(name)

    def _note(self, name: str, count: int = 1) -> None:
        self.counts[name] += count
        self.at.append((time.time(), name))


def storm(weather: Weather, *, over: threading.Event, closed_seconds: float, seconds: float) -> None:
    """The whole programme, spread over so many seconds: first there is no Spot capacity, then pods are at work."""
    weather.disturb_calls(0.05)
    weather.no_spot(closed_seconds)
    acts: list[Callable[[], None]] = [
        weather.evict,
        weather.kill_controller,
        weather.exhaust_memory,
        weather.kill_lambda_workers,
        weather.delete,
        weather.restart_api_server,
        weather.pressure,
        lambda: weather.lose_node(Kind.FARGATE),
        weather.kill_controller,
        weather.reclaim,
        weather.kill_lambda_workers,
    ]
    for act in acts:
        if over.wait(seconds / len(acts)):
            break
        act()
    weather.disturb_calls(0.0)
