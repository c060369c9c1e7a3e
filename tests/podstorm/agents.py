"""The agents of simulated pods: they claim, beat, wait as long as a test would, upload one canned report, commit and end.

    python -m tests.podstorm.agents KUBECONFIG FOLDER PART PARTS SECONDS

One process plays a part of all pods, in threads. Everything but the tests is the runner's own code, told by the pod's own
manifest. An agent dies with its pod: when that is deleted, has failed, or its machine is gone.
"""

import logging
import os
import sys
import threading
import time
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from crosswind.adapters.kubernetes.calls import ApiServer, ClientCertificate, ExpiredError
from crosswind.adapters.kubernetes.kubeconfig import read_kubeconfig
from crosswind.bootstrap import clients
from crosswind.bootstrap import runner as leasing
from crosswind.contracts.work import WorkKind, WorkOutcome
from crosswind.kernel.errors import CrosswindError
from crosswind.local.home import LocalError
from crosswind.runner.faults import Interruption
from crosswind.runner.heartbeat import Heartbeat
from crosswind.runner.options import RunnerOptions
from crosswind.runs.model import Progress, Work, WorkKey
from crosswind.runs.pods.jobs import AGENT, MANAGED_BY
from crosswind.runs.pods.ports import ClusterError
from crosswind.settings import RunnerSettings
from tests.cluster.clusters import Cluster
from tests.cluster.stages import Fate, fate
from tests.storm.canned import leave
from tests.storm.stand_ins import Journal

_WATCH_SECONDS = 30
_NODES_SECONDS = 1.0
_CLAIM_TRIES = 6
_CONNECTIONS = (
    300  # so many agents beat from here, each of which would have a process and connections of its own
)
_MERGE = "application/merge-patch+json"
_PODS, _NODES = "/api/v1/pods", "/api/v1/nodes"
_log = logging.getLogger(__name__)


@dataclass
class PlayedAgent:
    """One pod's agent, and whether it is dead."""

    namespace: str
    name: str
    node: str
    died: threading.Event = field(default_factory=threading.Event)


class Agents:
    """All agents of this process."""

    def __init__(self, server: ApiServer, cluster: Cluster, journal: Journal, *, seconds: float) -> None:
        self._server = server
        self._cluster = cluster
        self._journal = journal
        self._seconds = seconds
        self._agents: dict[str, PlayedAgent] = {}
        self._lock = threading.Lock()

    def follow(self, part: int, parts: int) -> None:
        """Follow all pods until killed. A watch is one of what a list has found: each begins with all that is there."""
        query = {
            "labelSelector": f"app.kubernetes.io/managed-by={MANAGED_BY['app.kubernetes.io/managed-by']}"
        }
        while True:
            try:
                for event in self._server.watch(_PODS, query=query, seconds=_WATCH_SECONDS):
                    pod = event["object"]
                    if event["type"] != "BOOKMARK" and zlib.crc32(_uid(pod).encode()) % parts == part:
                        self._saw(event["type"], pod)
            except (ClusterError, ExpiredError):
                time.sleep(0.5)

    def follow_nodes(self) -> None:
        """What ran on a machine that is gone is gone."""
        while True:
            time.sleep(_NODES_SECONDS)
            try:
                answer = self._server.call("GET", _NODES)
            except ClusterError:
                continue
            there = {node["metadata"]["name"] for node in answer["items"]}
            with self._lock:
                lost = [each for each in self._agents.values() if each.node not in there]
            for each in lost:
                each.died.set()

    def _saw(self, event: str, pod: dict[str, Any]) -> None:
        alive = event != "DELETED" and "deletionTimestamp" not in pod["metadata"]
        running = alive and pod["status"].get("phase") == "Running"
        with self._lock:
            known = self._agents.get(_uid(pod))
            if known is None and running:
                known = PlayedAgent(
                    pod["metadata"]["namespace"], pod["metadata"]["name"], pod["spec"]["nodeName"]
                )
                self._agents[_uid(pod)] = known
                threading.Thread(target=self._play, args=(known, pod), daemon=True).start()
        if known is not None and not running:
            known.died.set()

    def _play(self, agent: PlayedAgent, pod: dict[str, Any]) -> None:
        (container,) = pod["spec"]["containers"]
        assert container["name"] == AGENT
        told = os.environ | {each["name"]: each.get("value", "") for each in container["env"]}
        try:
            self._carry_out(RunnerSettings.from_env(told), RunnerOptions.from_env(told), agent)
        except Exception:  # noqa: BLE001  # whatever it is, a process would end with it
            _log.warning("%s ended", agent.name, exc_info=True)
            self._end(agent, Fate.FAIL)

    def _carry_out(self, settings: RunnerSettings, options: RunnerOptions, agent: PlayedAgent) -> None:
        message = options.once
        assert message is not None
        key = WorkKey(message.run_id, message.work_id)
        claim = partial(leasing.claim_work(settings), key)
        work = _patiently(lambda: claim(attempt=message.attempt, runner_id=settings.runner_id), agent.died)
        if work is None or agent.died.is_set():
            self._end(agent, Fate.SUCCEED)
            return
        self._journal.write("leased", work)
        if self._hold(settings, work, agent):
            self._end(agent, Fate.SUCCEED)
        else:
            self._journal.write("died", work)

    def _hold(self, settings: RunnerSettings, work: Work, agent: PlayedAgent) -> bool:
        """Whether it lived to the end. A dead agent beats no more, and writes nothing."""
        beat = leasing.beat_work(settings)
        interruption = Interruption()
        heartbeat = Heartbeat(
            beat, work, progress=Progress, interruption=interruption, tick_seconds=settings.quiet_seconds
        )
        heartbeat.start()
        seconds = self._seconds if work.kind is WorkKind.SHARD else 0.0
        if agent.died.wait(seconds):
            heartbeat.stop()
            return False
        held = heartbeat.stop()
        if interruption.cause is not None:
            return True
        prefix = leave(settings, work, seconds=seconds)
        if agent.died.is_set():
            return False
        commit = leasing.commit_work(settings)
        _patiently(lambda: commit(held, outcome=WorkOutcome.COMPLETED, prefix=prefix), agent.died)
        self._journal.write("committed", work)
        return True

    def _end(self, agent: PlayedAgent, which: Fate) -> None:
        """As a kubelet tells it when the agent's process has ended."""
        if agent.died.is_set():
            return
        path = f"/api/v1/namespaces/{agent.namespace}/pods/{agent.name}"
        body = {"metadata": {"annotations": fate(which)}}
        for _ in range(_CLAIM_TRIES):
            try:
                self._cluster.raw(path, method="PATCH", body=body, content_type=_MERGE)
            except (LocalError, HTTPError):  # the API server is away, or the pod is
                if agent.died.wait(1.0):
                    return
            else:
                return


def _patiently(ask: Any, died: threading.Event) -> Any:
    """As an agent does: the tables may be busy."""
    for attempt in range(_CLAIM_TRIES):
        try:
            return ask()
        except CrosswindError:
            if attempt == _CLAIM_TRIES - 1 or died.wait(2.0**attempt):
                raise
    return None


def _uid(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["uid"])


def main() -> None:
    """Play until killed."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    kubeconfig, folder = Path(sys.argv[1]), Path(sys.argv[2])
    part, parts, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    threading.stack_size(512 * 1024)
    clients.CONNECTIONS = _CONNECTIONS
    read = read_kubeconfig(kubeconfig)
    server = ApiServer(
        read.endpoint,
        certificate_authority=read.certificate_authority,
        client_certificate=ClientCertificate(
            read.credentials["clientCertificate"], read.credentials["clientKey"]
        ),
    )
    agents = Agents(
        server,
        Cluster(admin=kubeconfig, folder=folder),
        Journal(folder / f"journal-{part:02d}.jsonl"),
        seconds=seconds,
    )
    threading.Thread(target=agents.follow_nodes, daemon=True).start()
    agents.follow(part, parts)


if __name__ == "__main__":
    main()
