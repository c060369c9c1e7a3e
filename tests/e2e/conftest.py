"""An embedded cloud for the end-to-end tests: one per pytest worker, on free ports, with its data in a temporary folder.

It is started by the `crosswind` command itself, as a user would, and deleted at the end; tests/e2e/enforced has one with
IAM enforced. Tests that kill parts of it disturb no other worker, because nothing is shared but the tools' cache.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
SNAPSHOT_SECONDS = 8
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

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a command line that finds this cloud."""
        return {
            **_own_environment(),
            "CROSSWIND_HOME": str(self.home.path),
            "XDG_CONFIG_HOME": str(self.home.path / "config"),
            **more,
        }

    def crosswind(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user would."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("crosswind")), *words],
            env=self.environ(**environ),
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

    def look_after_pods(self) -> None:
        """What a rule does each minute, now: a look at once, and two more in the next 40 s. Nothing waits for them."""
        client = self.client("lambda")
        pages = client.get_paginator("list_functions").paginate()
        (name,) = [
            function["FunctionName"]
            for page in pages
            for function in page["Functions"]
            if "ObservePods" in function["FunctionName"]
        ]
        client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")

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
    """This process's environment without the authority that only these tests' HTTP client needs.

    `python` is the interpreter itself: a version manager's shim costs a dozen processes each time that a suite calls it.
    """
    environ = {key: value for key, value in os.environ.items() if key != "SSL_CERT_FILE"}
    return environ | {"PATH": f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{environ['PATH']}"}


@contextmanager
def running_cloud(folder: Path, *, iam_enforced: bool = False) -> Iterator[Cloud]:
    """A cloud of one's own, up as long as the block lasts."""
    port, emulator_port = processes.free_ports(2)
    started = Cloud(
        home=Home(folder / "home"), port=port, emulator_port=emulator_port, iam_enforced=iam_enforced
    )
    try:
        started.up()
        yield started
    finally:
        keep = os.environ.get("CROSSWIND_TEST_KEEP") == "1"
        started.crosswind(*(["down"] if keep else ["reset", "--yes"]))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The worker's cloud, up."""
    with running_cloud(tmp_path_factory.mktemp("cloud")) as started:
        yield started


@pytest.fixture
def api(cloud: Cloud) -> Iterator[Api]:
    """The API as a user who may submit runs."""
    made = Api.at(cloud.endpoint, cloud.token("editor"))
    with made.http:
        yield made
