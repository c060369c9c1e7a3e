"""Plays the kubelet for simulated pods: what a pod's containers would run, runs as processes of this machine.

KWOK says that a pod runs; here its agent and its tests' container are started as its manifest tells, with folders of
their own in place of its volumes. When the agent ends, so does the pod.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.clusters import Cluster
from tests.cluster.simulated import SimulatedNodes
from tests.cluster.stages import Fate

RUNNER = (sys.executable, "-m", "crosswind.runner.main")
_PAUSE = 0.2


@dataclass
class Containers:
    """The processes of one pod."""

    name: str
    folder: Path
    agent: subprocess.Popen[bytes]
    hand: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End them, as a lost machine does."""
        for process in (self.agent, self.hand):
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


@dataclass
class PlayedPods:
    """Starts and ends the processes of a namespace's pods, in a thread."""

    cluster: Cluster
    nodes: SimulatedNodes
    namespace: str
    aws: Mapping[str, str]
    started: dict[str, Containers] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def playing(self) -> Iterator["PlayedPods"]:
        """As long as the block lasts."""
        with tempfile.TemporaryDirectory(prefix="cw") as root:  # short: sockets lie in it
            thread = threading.Thread(target=self._play, args=(Path(root),), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self._over.set()
                thread.join(10)
                for containers in self.started.values():
                    containers.kill()

    def kill(self, name: str) -> None:
        """A pod's processes die, and its node tells that it was evicted."""
        with self._lock:
            self.started[name].kill()
        self.nodes.befall(self.namespace, [name], Fate.EVICT)

    def _play(self, root: Path) -> None:
        ended: set[str] = set()
        while not self._over.wait(_PAUSE):
            pods = self.cluster.core.list_namespaced_pod(self.namespace).items
            alive = {pod.metadata.name for pod in pods if pod.status.phase == "Running"}
            with self._lock:
                for pod in pods:
                    if pod.metadata.name in alive and pod.metadata.name not in self.started:
                        self.started[pod.metadata.name] = self._start(pod, root)
                for name, containers in self.started.items():
                    if name in ended:
                        continue
                    code = containers.agent.poll()
                    if name not in alive:
                        containers.kill()
                    elif code is None:
                        continue
                    elif code >= 0:
                        self.nodes.befall(
                            self.namespace, [name], Fate.FAIL if code else Fate.SUCCEED, exit_code=code
                        )
                        containers.hand.kill()
                    ended.add(name)

    def _start(self, pod: Any, root: Path) -> Containers:
        folder = root / f"{len(self.started)}"
        folder.mkdir()
        spec = pod.spec
        (agent,) = spec.containers
        told = {each.name: each.value or "" for each in agent.env}
        socket = folder / "s"
        path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        mine = {"CROSSWIND_HAND": str(socket), "CROSSWIND_WORK_FOLDER": str(folder / "w")}
        log = (folder / "log").open("wb")
        hand = subprocess.Popen(
            [*RUNNER, "--hand", str(socket)],
            env=path
            | {"CROSSWIND_TEST_PYTHON": os.environ.get("CROSSWIND_TEST_PYTHON", "")}
            | self._python(),
            stderr=log,
        )
        process = subprocess.Popen(RUNNER, env=path | told | dict(self.aws) | mine, stderr=log, cwd=folder)
        return Containers(pod.metadata.name, folder, process, hand)

    def _python(self) -> dict[str, str]:
        """The tests' own Python, as the pool's runners have it."""
        return {name: value for name, value in self.aws.items() if name == "CROSSWIND_TEST_PYTHON"}
