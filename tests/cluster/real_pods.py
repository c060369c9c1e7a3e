"""A cluster of one real node that the embedded cloud knows: prepared as its operator would, by the command line."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

from crosswind.local import emulator
from crosswind.runs.clusters.bundle.options import LAUNCHER, OBSERVER
from crosswind.runs.pods.jobs import RUN_LABEL, WORK_LABEL
from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.real import HOST_ADDRESS, REAL, TOLERATION, RealNode
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api

NAME = "machine"
TEAM = "demo"
PREFIX = "real-"
NAMESPACE = f"{PREFIX}{TEAM}"
TAG = "tried"
SECRET = "agent"  # its name
_SECONDS = 120
_LOOK_SECONDS = 5
Found = TypeVar("Found")


@dataclass
class RealPods:
    """What tests do with the cluster."""

    cloud: Cloud
    node: RealNode
    emulator: str
    """Where pods find the emulator: host:port."""

    @property
    def cluster(self) -> Cluster:
        """As its administrator."""
        return self.node.plane.cluster

    def say(self, *words: str, user: str = "editor") -> str:
        """What a command of `crosswind` prints; it must do well."""
        done = self.cloud.crosswind(*words, CROSSWIND_TOKEN=self.cloud.token(user))
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def pods(self, run: str, work: str | None = None) -> list[Any]:
        """A run's pods as the API server has them."""
        label = f"{RUN_LABEL}={run}" + (f",{WORK_LABEL}={work}" if work else "")
        found: list[Any] = self.cluster.core.list_namespaced_pod(NAMESPACE, label_selector=label).items
        return found

    def ended(self, run: str, api: Api) -> list[dict[str, Any]]:
        """What is known of a run's pods, when all of them have ended and were looked at.

        One whose attempt was lost may have been removed before it had ended: then it is gone, for the attempt's reason.
        """

        def has_ended(row: dict[str, Any]) -> bool:
            return row["state"] in {"succeeded", "failed"} or bool(
                row["state"] == "gone" and row.get("reason")
            )

        def rows() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = api.http.get(f"/api/v1/tests/{run}/pods").json()["items"]
            return found if all(map(has_ended, found)) else []

        return self._looking(rows, what=f"the pods of {run} to end")

    def finished(self, run: str, api: Api) -> dict[str, Any]:
        """A run at its end; meanwhile the cluster is looked at more often than it would be."""

        def view() -> dict[str, Any]:
            found = api.run(run, detail=True)
            return found if found["state"] == "finished" else {}

        return self._looking(view, what=f"run {run} to end")

    def _looking(self, found: Callable[[], Found], *, what: str) -> Found:
        looked_at = 0.0

        def looked() -> Found:
            nonlocal looked_at
            if not (so_far := found()) and time.monotonic() - looked_at > _LOOK_SECONDS:
                self.cloud.look_after_pods()
                looked_at = time.monotonic()
            return so_far

        return wait_for(looked, what=what, seconds=_SECONDS, pause=0.5)

    def prepare(self, images: dict[str, str]) -> None:
        """Make it known, and prepare it. `images` are tags by names, as containerd has them."""
        launcher = self.node.plane.kubeconfig("real-cloud", [LAUNCHER, OBSERVER])
        connect = ("--kubeconfig", str(launcher), "--registry", "localhost", "--tag", TAG)
        self.say(
            "clusters", "add", NAME, *connect, "--credentials-secret", SECRET, "--role", "test", user="admin"
        )
        document = yaml.safe_load(self.say("clusters", "get", NAME, user="admin"))
        document["spec"] |= {
            "namespacePrefix": PREFIX,
            "capacity": [{"kind": "nodes", "nodeSelector": {REAL: "true"}, "tolerations": [TOLERATION]}],
        }
        file = self.node.folder / "cluster.yaml"
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.say("clusters", "add", NAME, "-f", str(file), user="admin")
        whose = ("--cluster", NAME, "--teams", TEAM, "--kubeconfig", str(self.cluster.admin))
        self.say("clusters", "apply", *whose, "--allow", f"{HOST_ADDRESS}/32", user="admin")
        given = dict(emulator.client_environment(self.cloud.home, self.cloud.state))
        given["AWS_ENDPOINT_URL"] = f"http://{self.emulator}"
        secret = {"metadata": {"name": SECRET}, "stringData": given}
        self.cluster.core.create_namespaced_secret(NAMESPACE, secret)
        for name, tag in images.items():
            self.node.ctr("images", "tag", "--force", tag, f"localhost/crosswind/{name}:{TAG}")


@contextmanager
def real_pods(cloud: Cloud, node: RealNode, images: dict[str, str]) -> Iterator[RealPods]:
    """Prepared; its namespace goes at the end."""
    port = urlsplit(cloud.state.emulator_url).port
    assert port
    made = RealPods(cloud, node, node.expose(port))
    made.prepare(images)
    try:
        yield made
    finally:
        made.cluster.core.delete_namespace(NAMESPACE, propagation_policy="Background")


@dataclass
class FollowedLogs:
    """`crosswind logs RUN --follow --json`, read as it comes: the text of each piece of work so far."""

    cloud: Cloud
    run: str
    texts: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None

    @contextmanager
    def following(self) -> Iterator["FollowedLogs"]:
        """As long as the block lasts."""
        environ = self.cloud.environ(CROSSWIND_TOKEN=self.cloud.token("editor"))
        with subprocess.Popen(
            [str(Path(sys.executable).with_name("crosswind")), "logs", self.run, "--follow", "--json"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            threading.Thread(target=self._read, args=(process,), daemon=True).start()
            try:
                yield self
            finally:
                process.kill()

    def wait_for(self, text: str, *, among: str = "", but: str = "") -> str:
        """The first piece of work whose log has it; its id begins with `among`, and is not `but`."""

        def found() -> str:
            for work, said in list(self.texts.items()):
                if work != but and work.startswith(among) and text in said:
                    return work
            return ""

        return wait_for(found, what=f"{text!r} in a log: {self.texts}", seconds=_SECONDS)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            with suppress(ValueError):
                chunk = json.loads(line)
                work = chunk["workId"]
                self.texts[work] = self.texts.get(work, "") + chunk["text"]
