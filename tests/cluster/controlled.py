"""A controller for tests: as a process that looks after objects, and as the threads that look after pods."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from crosswind.adapters.kubernetes.calls import ApiServer, Json
from crosswind.adapters.kubernetes.jobs import KubernetesJobs
from crosswind.adapters.kubernetes.kubeconfig import read_kubeconfig
from crosswind.adapters.kubernetes.watching import WatchedJobs
from crosswind.contracts.clusters import CapacityKind, CapacityOffer, Toleration
from crosswind.kernel.errors import CrosswindError
from crosswind.local.home import ProcessRef
from crosswind.runs.infrastructure import InfrastructureReason as Reason
from crosswind.runs.usecases.attending_cluster import AttendCluster
from tests.cluster.children import end_child, start_child
from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.simulated import Kind, selector
from tests.cluster.stub_api import TOKEN, StubApi
from tests.cluster.test_carried_work import STAGE, TEAM, World, pod_of

PREFIX = "cwctl-"
NAMESPACE = f"{PREFIX}{TEAM}"
_FARGATE = CapacityOffer(
    kind=CapacityKind.FARGATE,
    node_selector=selector(Kind.FARGATE),
    tolerations=(Toleration(key="eks.amazonaws.com/compute-type"),),
)
_PLURALS = {"TestRun": "testruns", "TestSuite": "testsuites"}


class Objects:
    """Crosswind's objects in the team's namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._api = cluster.of(client.CustomObjectsApi)

    def make(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        body = {
            "apiVersion": "crosswind.dev/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": dict(spec),
        }
        self._api.create_namespaced_custom_object(*self._where(kind), body)

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.get_namespaced_custom_object(*self._where(kind), name)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return found

    def status(self, kind: str, name: str) -> dict[str, Any]:
        return dict((self.read(kind, name) or {}).get("status") or {})

    def condition(self, kind: str, name: str, type_: str = "Accepted") -> tuple[str, str, str]:
        """Status, reason and message; empty ones before it is told."""
        conditions = self.status(kind, name).get("conditions", ())
        found: dict[str, str] = next((each for each in conditions if each["type"] == type_), {})
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    def change(self, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        self._api.patch_namespaced_custom_object(*self._where(kind), name, {"spec": dict(spec)})

    def delete(self, kind: str, name: str) -> None:
        self._api.delete_namespaced_custom_object(*self._where(kind), name)

    def _where(self, kind: str) -> tuple[str, str, str, str]:
        return "crosswind.dev", "v1", NAMESPACE, _PLURALS[kind]


class Process:
    """The controller, which a test may kill."""

    def __init__(self, account: Path, api: StubApi, folder: Path) -> None:
        token = folder / "token"
        token.write_text(TOKEN)
        self.log = folder / "controller.log"
        self._environ = {
            "KUBECONFIG": str(account),
            "CROSSWIND_ENDPOINT": api.endpoint,
            "CROSSWIND_TOKEN_FILE": str(token),
            "CROSSWIND_HEALTH_ADDRESS": "127.0.0.1:0",
        }
        self._process: ProcessRef | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "crosswind.controller.main"]
        self._process = start_child(command, log=self.log, environ=self._environ)

    def kill(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        end_child(self._process, grace_seconds=10)
        self._process = None


class SilentServer(ApiServer):
    """Its watches begin, and then say nothing."""

    def watch(self, path: str, *, query: Mapping[str, str], seconds: int) -> Iterator[Json]:
        time.sleep(seconds)
        yield from ()


class Attended:
    """The cluster's Jobs, looked after by threads, as the controller does it."""

    def __init__(self, server: ApiServer, *, watch_seconds: int | None = None) -> None:
        self.world = World(KubernetesJobs(server), _FARGATE, prefix=PREFIX)
        self.jobs = WatchedJobs(KubernetesJobs(server), STAGE)
        if watch_seconds is not None:
            self.jobs.jobs.watch_seconds = self.jobs.pods.watch_seconds = watch_seconds
        self.attend = AttendCluster(
            "main", lambda: self.world.spec, self.jobs.api, self.jobs, self.world.observe, time.sleep
        )
        self.stop = Event()

    def __enter__(self) -> Self:
        self.jobs.start(self.stop, lambda work: work())
        Thread(target=self._keep, daemon=True).start()
        return self

    def _keep(self) -> None:
        while not self.stop.is_set():
            with suppress(CrosswindError):  # the API server may go before this thread does
                self.attend()

    def __exit__(self, *_: object) -> None:
        self.stop.set()


def server_as(account: Path, kind: type[ApiServer] = ApiServer) -> ApiServer:
    read = read_kubeconfig(account)
    headers = {"Authorization": f"Bearer {read.credentials['token']}"}
    return kind(read.endpoint, headers=lambda: headers, certificate_authority=read.certificate_authority)


def seconds_until_told(world: World, cluster: Cluster, number: int) -> float:
    """From a pod's eviction to the loss of its attempt."""
    name = pod_of(cluster, NAMESPACE, number)
    began = time.monotonic()
    evicted = {"status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource"}}
    cluster.core.patch_namespaced_pod_status(name, NAMESPACE, evicted)
    wait_for(lambda: world.reason(number), what=f"the loss of shard {number}", seconds=30, pause=0.005)
    took = time.monotonic() - began
    assert world.reason(number) == Reason.EVICTED.value
    return took
