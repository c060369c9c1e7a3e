"""An embedded cloud for the end-to-end tests: one per pytest worker, on free ports, with its data in a temporary folder.

It is started by the `crosswind` command itself, as a user would, and deleted at the end. CROSSWIND_TEST_IAM=1 starts it
with IAM enforced. Tests that kill parts of it disturb no other worker, because nothing is shared but the tools' cache.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest

from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.local import emulator, processes
from crosswind.local.home import Home, LocalState
from crosswind.runs.admission.model import QueueEntry
from tests.e2e.runs import Api

RUNNERS = 2
COMMAND_SECONDS = 300
SNAPSHOT_SECONDS = 6
"""What is older survives a kill -9 of the emulator."""


@dataclass
class Cloud:
    """A running embedded cloud, and the ways in which tests break it."""

    home: Home
    port: int
    emulator_port: int
    iam_enforced: bool = False
    toxiproxy_port: int = field(default_factory=lambda: processes.free_ports(1)[0])

    @property
    def state(self) -> LocalState:
        """What state.json says now."""
        state = self.home.load()
        assert state is not None
        return state

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def crosswind(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user would."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("crosswind")), *words],
            env={
                **_own_environment(),
                "CROSSWIND_HOME": str(self.home.path),
                "XDG_CONFIG_HOME": str(self.home.path / "config"),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def up(self, *, runners: int = RUNNERS) -> dict[str, Any]:
        """`crosswind up`; its JSON."""
        options = ["--port", str(self.port), "--emulator-port", str(self.emulator_port)]
        options += ["--toxiproxy-port", str(self.toxiproxy_port)]
        mode = "--iam" if self.iam_enforced else "--no-iam"
        done = self.crosswind("up", "--json", *options, "--runners", str(runners), mode)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def down(self) -> list[str]:
        """`crosswind down`; what it stopped."""
        done = self.crosswind("down", "--json")
        assert done.returncode == 0, done.stderr
        stopped: list[str] = json.loads(done.stdout)["stopped"]
        return stopped

    def token(self, user: str) -> str:
        """A token of a local user, from the local issuer."""
        users = json.loads((self.home.issuer / "users.json").read_text(encoding="utf-8"))
        form = {"grant_type": "password", "username": user, "password": users[user]["password"]}
        answer = httpx.post(f"{self.endpoint}/oidc/token", data=form, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def client(self, service: Any) -> Any:
        """An AWS client of the emulator, as its root."""
        environ = emulator.client_environment(self.home, self.state)
        return boto3.client(
            service,
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            region_name=environ["AWS_REGION"],
            aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
            verify=environ.get("AWS_CA_BUNDLE"),
        )

    def kill_emulator(self) -> None:
        """kill -9 of the emulator alone; its Lambda workers stay, as after a crash."""
        os.kill(self.state.processes[emulator.NAME].pid, signal.SIGKILL)

    def kill_lambda_workers(self) -> int:
        """kill -9 of every Lambda worker. Returns how many there were."""
        host = processes.find(self.state.processes[emulator.NAME])
        assert host is not None
        killed = 0
        for child in host.children(recursive=True):
            try:
                if any(part.endswith("_worker.py") for part in child.cmdline()):
                    child.kill()
                    killed += 1
            except psutil.NoSuchProcess:
                continue
        return killed

    def runner_pid(self, runner_id: str) -> int:
        """The process of a runner."""
        pool = processes.find(self.state.processes["pool"])
        assert pool is not None
        for child in pool.children():
            if child.environ().get("CROSSWIND_RUNNER_ID") == runner_id:
                return child.pid
        raise AssertionError(f"no runner {runner_id} among the pool's processes")

    def stop_execution(self, run_id: str) -> None:
        """Stop a run's execution behind the platform's back."""
        machine = self.state.outputs["StateMachineArn"]
        execution = machine.replace(":stateMachine:", ":execution:") + f":{run_id}"
        self.client("stepfunctions").stop_execution(executionArn=execution, cause="stopped by a test")

    def active_entries(self, run_id: str) -> list[QueueEntry]:
        """What still holds a slot for a run."""
        table = json.loads(self.state.outputs["RunnerEnvironment"])["CROSSWIND_QUEUE_TABLE"]
        store = DynamoQueueStore(dynamo=Dynamo(self.client("dynamodb")), table=table)
        return [entry for entry in store.active() if entry.key.run_id == run_id]


def _own_environment() -> dict[str, str]:
    """This process's environment without the authority that only these tests' HTTP client needs."""
    return {key: value for key, value in os.environ.items() if key != "SSL_CERT_FILE"}


def _iam_enforced() -> bool:
    return os.environ.get("CROSSWIND_TEST_IAM") == "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and count as deselected, what has a meaning only where IAM is enforced (`make test-iam`)."""
    left_out = [] if _iam_enforced() else [item for item in items if item.get_closest_marker("iam")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The worker's cloud, up."""
    port, emulator_port = processes.free_ports(2)
    started = Cloud(
        home=Home(tmp_path_factory.mktemp("cloud") / "home"),
        port=port,
        emulator_port=emulator_port,
        iam_enforced=_iam_enforced(),
    )
    try:
        started.up()
        if started.iam_enforced:
            os.environ["SSL_CERT_FILE"] = str(started.home.tls / "authority.pem")  # for presigned links
        yield started
    finally:
        if started.iam_enforced:
            os.environ.pop("SSL_CERT_FILE", None)
        keep = os.environ.get("CROSSWIND_TEST_KEEP") == "1"
        started.crosswind(*(["down"] if keep else ["reset", "--yes"]))


@pytest.fixture
def api(cloud: Cloud) -> Iterator[Api]:
    """The API as a user who may submit runs."""
    made = Api.at(cloud.endpoint, cloud.token("editor"))
    with made.http:
        yield made
