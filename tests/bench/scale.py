"""Control-plane cost of trivial shards: wall time and state transitions per shard, at two sizes, against a bare Distributed Map.

    python -m tests.bench.scale [--shards 200 1000] [--workers 8] [--json]

The embedded cloud runs without runners; threads stand in for them: they claim, upload one canned report, commit and answer,
with the runner's own use cases and no test process. The baseline is what Step Functions costs by itself on the same
emulator in the same run: a Distributed Map of as many children, each waiting once on SQS and answered at once by
as many threads.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from crosswind.bootstrap import clients, stores
from crosswind.bootstrap import runner as leasing
from crosswind.contracts.work import WorkOutcome
from crosswind.local import emulator, processes
from crosswind.local.cloud import EmbeddedCloud, UpOptions
from crosswind.local.home import Home
from crosswind.runs.model import WorkKey
from crosswind.settings import RunnerSettings
from tests.e2e.runs import Api, command_job, pack, suite
from tests.storm.canned import leave

_ROLE = "arn:aws:iam::000000000000:role/bench"


@dataclass(frozen=True)
class Figure:
    """One size's measurements."""

    shards: int
    seconds: float
    baseline_seconds: float
    parent_transitions: int
    child_transitions: int

    @property
    def ratio(self) -> float:
        return self.seconds / self.baseline_seconds

    @property
    def transitions_per_shard(self) -> float:
        return self.child_transitions + self.parent_transitions / self.shards


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shards", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as folder:
        cloud = EmbeddedCloud(Home(Path(folder)), report=lambda text: print(text, flush=True))
        port, emulator_port = processes.free_ports(2)
        state = cloud.up(UpOptions(port=port, emulator_port=emulator_port, runners=0))
        try:
            os.environ.update(emulator.client_environment(cloud.home, state))
            settings = RunnerSettings.from_env(
                {
                    **json.loads(state.outputs["RunnerEnvironment"]),
                    "CROSSWIND_RUNNER_ID": "bench",
                    "CROSSWIND_WORK_FOLDER": folder,
                    "CROSSWIND_LIVE_SECONDS": "1.5",
                    "CROSSWIND_QUIET_SECONDS": "30",
                }
            )
            api = Api.at(state.endpoint, token(cloud.home, state.endpoint))
            figures = [
                measure(api, settings, shards=count, workers=options.workers) for count in options.shards
            ]
        finally:
            cloud.down()
    if options.json:
        print(json.dumps([vars(figure) for figure in figures], indent=2))
        return
    print("shards   wall      bare map   ratio   transitions per shard   ms per shard")
    for figure in figures:
        print(
            f"{figure.shards:6d}  {figure.seconds:6.1f} s  {figure.baseline_seconds:6.1f} s  {figure.ratio:5.1f} x"
            f"  {figure.transitions_per_shard:12.2f}  {figure.seconds / figure.shards * 1000:18.1f}"
        )


def token(home: Home, endpoint: str) -> str:
    """A token of a local user who may submit runs."""
    password = json.loads((home.issuer / "users.json").read_text(encoding="utf-8"))["runner"]["password"]
    form = {"grant_type": "password", "username": "runner", "password": password}
    answer = httpx.post(f"{endpoint}/oidc/token", data=form, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def measure(api: Api, settings: RunnerSettings, *, shards: int, workers: int) -> Figure:
    """One run of `shards` trivial shards, and the bare map of the same size right after it."""
    stores.queue_store(settings).register_slots(workers * 2)
    stop = threading.Event()
    digest = api.upload(pack({"readme": f"bench {shards}"}))
    job = command_job("true", shards={"count": shards})
    job["source"] = {"archive": {"digest": digest}}
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            pool.submit(stand_in, settings, digest, stop)
        started = time.perf_counter()
        run = api.submit(suite([job], name=f"bench-{shards}", concurrency=1000))
        view = api.finished(run, seconds=600)
        seconds = time.perf_counter() - started
        stop.set()
    assert view["verdict"]["kind"] == "passed", view["verdict"]
    assert view["tests"]["total"] == shards, view["tests"]
    parent, child = transitions(run)
    return Figure(shards, seconds, bare_map(settings, shards=shards, workers=workers), parent, child)


def stand_in(settings: RunnerSettings, digest: str, stop: threading.Event) -> None:
    """Do what a runner does with its leases, and no test."""
    queue = stores.executor_queue(settings)
    while not stop.is_set():
        for receipt, message in queue.receive(10, wait_seconds=1):
            work = leasing.claim_work(settings)(
                WorkKey(message.run_id, message.work_id), attempt=message.attempt, runner_id="bench"
            )
            queue.delete(receipt)
            if work is not None:
                prefix = leave(settings, work, digest=digest)
                leasing.commit_work(settings)(work, outcome=WorkOutcome.COMPLETED, prefix=prefix)


def transitions(run: str) -> tuple[int, int]:
    """States entered by the run's own execution, and by a child whose shard goes well.

    The emulator keeps no history of a map's children, so theirs is walked on the deployed definition.
    """
    states = clients.stepfunctions()
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        try:
            parent = entered(states, arn.replace(":stateMachine:", ":execution:") + f":{run}")
        except states.exceptions.ExecutionDoesNotExist:
            continue
        definition = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])
        return parent, straight_path(definition["States"]["ExecuteShards"]["ItemProcessor"])
    raise LookupError(f"no execution of {run}")


def straight_path(processor: dict[str, Any]) -> int:
    """States from the start to an end, by each state's Next."""
    count, name = 0, processor["StartAt"]
    while name:
        count, name = count + 1, processor["States"][name].get("Next")
    return count


def entered(states: Any, arn: str) -> int:
    """StateEntered events of an execution: what AWS bills as transitions, retries apart."""
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    return sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])


def bare_map(settings: RunnerSettings, *, shards: int, workers: int) -> float:
    """Seconds of a Distributed Map whose children wait once on SQS and are answered at once."""
    states, sqs = clients.stepfunctions(), clients.sqs_polling()
    queue = sqs.create_queue(QueueName=f"bench-{shards}")["QueueUrl"]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
        "End": True,
    }
    items = {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Wait",
            "States": {"Wait": task},
        },
        "ItemsPath": "$.items",
        "MaxConcurrency": 1000,
        "ResultPath": None,
        "End": True,
    }
    definition = json.dumps({"StartAt": "Each", "States": {"Each": items}})
    machine = states.create_state_machine(name=f"bench-{shards}", definition=definition, roleArn=_ROLE)
    stop = threading.Event()

    def answer() -> None:
        while not stop.is_set():
            answer_some(sqs, states, queue)

    with ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            pool.submit(answer)
        started = time.perf_counter()
        execution = states.start_execution(
            stateMachineArn=machine["stateMachineArn"], input=json.dumps({"items": list(range(shards))})
        )
        wait_for(
            lambda: states.describe_execution(executionArn=execution["executionArn"])["status"] == "SUCCEEDED"
        )
        seconds = time.perf_counter() - started
        stop.set()
    return seconds


def answer_some(sqs: Any, states: Any, queue: str) -> None:
    """Receive some tokens and answer them."""
    for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
        "Messages", ()
    ):
        states.send_task_success(taskToken=json.loads(message["Body"])["token"], output="{}")
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def wait_for(reached: Callable[[], bool], *, seconds: float = 600) -> None:
    """Ask four times a second."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not reached in {seconds:.0f} s")
        time.sleep(0.25)


if __name__ == "__main__":
    main()
