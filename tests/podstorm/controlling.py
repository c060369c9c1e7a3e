"""The in-cluster controller as a process of this machine, started anew whenever it ends, as its Deployment would do it."""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from crosswind.local import emulator, processes
from tests.e2e.conftest import Cloud

_AGAIN_SECONDS = 3.0
_MIB = 1024 * 1024


@dataclass
class RunningController:
    """Its process; `most_mib` is the most memory that it was seen to hold."""

    cloud: Cloud
    cluster: str
    kubeconfig: Path
    folder: Path
    most_mib: float = 0.0
    _process: subprocess.Popen[bytes] | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None

    def start(self) -> None:
        """Start it, and see to it until `stop`."""
        self._over.clear()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """End it for good."""
        self._over.set()
        if self._keeper:
            self._keeper.join()

    def kill(self) -> None:
        """kill -9."""
        if self._process:
            self._process.kill()

    def _keep(self) -> None:
        while not self._over.is_set():
            with (self.folder / "controller.log").open("ab") as log:
                self._process = process = subprocess.Popen(
                    [sys.executable, "-m", "crosswind.controller.main"],
                    env=self._environ(),
                    stdout=log,
                    stderr=log,
                )
            while process.poll() is None and not self._over.wait(1.0):
                with suppress(psutil.Error):
                    self.most_mib = max(self.most_mib, psutil.Process(process.pid).memory_info().rss / _MIB)
            process.kill()
            process.wait()
            self._over.wait(_AGAIN_SECONDS)

    def _environ(self) -> dict[str, str]:
        given = emulator.client_environment(self.cloud.home, self.cloud.state)
        return {
            **os.environ,
            **given,
            **json.loads(self.cloud.state.outputs["RunnerEnvironment"]),
            "KUBECONFIG": str(self.kubeconfig),
            "CROSSWIND_ENDPOINT": self.cloud.endpoint,
            "CROSSWIND_TOKEN": self.cloud.token("admin"),
            "CROSSWIND_CLUSTER": self.cluster,
            "CROSSWIND_REGION": given["AWS_REGION"],
            "CROSSWIND_HEALTH_ADDRESS": f"127.0.0.1:{processes.free_ports(1)[0]}",
        }
