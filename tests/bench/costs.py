"""Dollars of a shard's life at AWS list prices: every AWS call that the control plane and the runner make for it, counted and priced.

    python -m tests.bench.costs [--shards 40] [--minutes 10] [--json]

The real use cases run over moto from enqueueing to ingestion; a hook on each client counts requests, items and their bytes. What moto
cannot show is stated: transitions are those of the state machine's own definition, Lambda time is an assumption (see `_LAMBDA`),
log volume too. The compute beside it is what Fargate bills for as many pods of 1 vCPU and 2 GB.
"""

import argparse
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any

from moto import mock_aws

from crosswind.bootstrap import clients, tasks, workers
from crosswind.bootstrap import runner as leasing
from crosswind.contracts.requests import RunState
from crosswind.contracts.work import (
    ArchiveRef,
    FileRef,
    OrderRef,
    ShardOrder,
    ShardResult,
    Ticket,
    WorkKind,
    WorkOutcome,
)
from crosswind.kernel.clock import SystemClock, to_iso
from crosswind.runs import layout
from crosswind.runs.model import HEARTBEAT_INTERVAL, WATCH_INTERVAL, Progress, Work, WorkKey
from crosswind.runs.planning import pricing
from crosswind.runs.usecases.scheduling import Admission
from crosswind.settings import ControlSettings, RunnerSettings
from tests.bench.scale import straight_path
from tests.fakes import make_run, make_ticket
from tests.stores.embedded import make_tables

_ROOT = Path(__file__).parents[2]
_REPORT = (
    "<testsuite>"
    + '<testcase classname="tests.api.test_orders" name="test_one" time="1"/>' * 40
    + "</testsuite>"
)
_LAMBDA = {"seconds per shard": 0.35, "GiB": 1.0, "calls per shard": 1.3}
_LOG_BYTES_PER_SHARD = 4_000  # of the control plane's own functions
_LOG_BYTE = 0.50 / 1024**3
_ANSWERS = ("send_task_success", "start_execution")


@dataclass
class Ledger:
    """What was asked of AWS."""

    calls: Counter[str] = field(default_factory=Counter)
    write_units: float = 0.0
    read_units: float = 0.0
    _asked: dict[str, Any] = field(default_factory=dict)

    def listen(self, client: Any) -> None:
        """Count the calls of a client from now on."""
        service = client.meta.service_model.service_name
        client.meta.events.register("provide-client-params.*", self._note_params)
        client.meta.events.register(
            "after-call.*", lambda model, parsed, **_: self._count(service, model.name, parsed)
        )

    def _note_params(self, params: dict[str, Any], **_: Any) -> None:
        self._asked = params

    def _count(self, service: str, operation: str, answer: dict[str, Any]) -> None:
        self.calls[f"{service}.{operation}"] += 1
        if service != "dynamodb":
            return
        if operation == "TransactWriteItems":
            for action in self._asked["TransactItems"]:
                ((_, write),) = action.items()
                self.write_units += 2 * _units(write.get("Item", write.get("Key")), 1024)
        elif operation in {"PutItem", "UpdateItem", "DeleteItem"}:
            item = self._asked.get("Item") or answer.get("Attributes") or self._asked.get("Key")
            indexes = 2 * ("teamKey" in (item or {}))  # a run's record stands in two indexes
            self.write_units += _units(item, 1024) * (1 + indexes)
        elif operation == "BatchGetItem":
            items = [item for found in answer["Responses"].values() for item in found]
            self.read_units += sum(_units(item, 4096) for item in items)
        elif operation == "GetItem":
            self.read_units += _units(answer.get("Item"), 4096)
        else:
            self.read_units += _units(answer.get("Items"), 4096)

    def dollars(self, *, shards: int, transitions: float) -> dict[str, float]:
        """By kind, for all shards."""
        queue = sum(count for call, count in self.calls.items() if call.startswith("sqs."))
        puts = self.calls["s3.PutObject"]
        gets = self.calls["s3.GetObject"] + self.calls["s3.HeadObject"]
        return {
            "state transitions": transitions * shards * pricing.TRANSITION,
            "table writes": self.write_units * pricing.WRITE_UNIT,
            "table reads": self.read_units * pricing.READ_UNIT,
            "queue calls": queue * pricing.QUEUE_CALL,
            "object writes": puts * pricing.OBJECT_PUT,
            "object reads": gets * pricing.OBJECT_GET,
            "functions (assumed time)": shards
            * (
                _LAMBDA["seconds per shard"] * _LAMBDA["GiB"] * pricing.LAMBDA_GIB_SECOND
                + _LAMBDA["calls per shard"] * pricing.LAMBDA_CALL
            ),
            "functions' logs (assumed volume)": shards * _LOG_BYTES_PER_SHARD * _LOG_BYTE,
        }


def _units(item: Any, size: int) -> float:
    """Capacity units of an item by its approximate stored size: names and values without JSON's signs."""
    length = len(json.dumps(item, default=str, separators=("", ""))) if item else 1
    return float(-(-length // size))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(shards=options.shards, minutes=options.minutes)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"1,000 shards of {options.minutes:g} min, counted over {options.shards} (list prices):")
    for name, dollars in figures["dollars_per_1000"].items():
        print(f"  {name:<34} ${dollars:8.4f}")
    print(f"  {'control plane':<34} ${figures['control']:8.4f}   {figures['share']:.2%} of the compute")
    print(f"  {'compute (Fargate, 1 vCPU, 3 GB)':<34} ${figures['compute']:8.4f}")
    print(f"  state transitions per shard: {figures['transitions_per_shard']:g}")


def measure(*, shards: int, minutes: float) -> dict[str, Any]:
    """One stage's shards through all of the control plane."""
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "eu-central-1",
    }
    os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"
    with mock_aws():
        values = _surroundings()
        os.environ |= ControlSettings(**values).to_env()
        runner = RunnerSettings(
            **{
                **{name: values[name] for name in RunnerSettings.__dataclass_fields__ if name in values},
                "runner_id": "bench",
                "work_folder": ".",
                "live_seconds": 1.5,
                "quiet_seconds": 30.0,
            }
        )
        ledger = Ledger()
        for client in (clients.dynamodb(), clients.s3(), clients.sqs(), clients.sqs_polling()):
            ledger.listen(client)
        _answer_ourselves(ledger)
        _live(ledger, runner, shards=shards, minutes=minutes)
    transitions = _transitions()
    dollars = {
        name: value / shards * 1_000
        for name, value in ledger.dollars(shards=shards, transitions=transitions).items()
    }
    size = pricing.Size(1000, 2048)
    compute = 1_000 * (minutes * 60 + 60) * pricing.second_price(size)
    control = sum(dollars.values())
    return {
        "shards": shards,
        "minutes": minutes,
        "transitions_per_shard": transitions,
        "calls_per_shard": {call: round(count / shards, 2) for call, count in sorted(ledger.calls.items())},
        "write_units_per_shard": round(ledger.write_units / shards, 1),
        "read_units_per_shard": round(ledger.read_units / shards, 1),
        "dollars_per_1000": dollars,
        "control": control,
        "compute": compute,
        "share": control / compute,
    }


def _surroundings() -> dict[str, Any]:
    tables = make_tables(clients.dynamodb())
    clients.s3().create_bucket(
        Bucket="bench", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    queues = {
        f"{name}_queue_url": clients.sqs().create_queue(QueueName=name)["QueueUrl"]
        for name in ("admission", "executor", "watch", "live")
    }
    return {
        "stage": "bench",
        "runs_table": tables.runs,
        "queue_table": tables.queue,
        "tests_table": tables.tests,
        "live_table": tables.live,
        "artifacts_bucket": "bench",
        "sources_bucket": "bench",
        "event_bus_name": "default",
        "retention_days": 90,
        "state_machine_arn": "arn:aws:states:eu-central-1:123456789012:stateMachine:bench",
        "default_slots": 1000,
        "launches_per_second": 0.0,
        "launch_burst": 1,
        "queue_limit": 50_000,
        **queues,
    }


def _answer_ourselves(ledger: Ledger) -> None:
    """Tokens are answered into the void: moto runs no state machine here."""
    from botocore.awsrequest import AWSResponse, HeadersDict  # noqa: PLC0415  # after the environment is set

    def answer(request: Any, **_: Any) -> Any:
        ledger.calls["stepfunctions.SendTaskSuccess"] += 1
        headers: Any = HeadersDict({"content-type": "application/x-amz-json-1.0"})
        response: Any = AWSResponse(request.url, 200, headers, None)
        response._content = b"{}"
        return response

    clients.stepfunctions().meta.events.register("before-send.*", answer)


def _live(ledger: Ledger, settings: RunnerSettings, *, shards: int, minutes: float) -> None:
    """A run's shards: enqueued in batches of ten, admitted, claimed, beaten, watched, committed, ingested."""
    from crosswind.bootstrap import stores  # noqa: PLC0415

    runs, artifacts = stores.run_store(settings), stores.artifacts(settings)
    run, _ = runs.create(
        make_run(state=RunState.EXECUTING, created_at=SystemClock().now(), timeout_seconds=7200),
        idempotency=None,
    )
    tickets = _write_orders(artifacts, shards)
    queue = stores.executor_queue(settings)
    ledger.calls.clear()
    ledger.write_units = ledger.read_units = 0.0
    for start in range(0, shards, 10):
        now = SystemClock().now()
        batch = [Admission(ticket, f"token-{ticket.work_id}", now) for ticket in tickets[start : start + 10]]
        ledger.calls["sqs.ReceiveMessage (event source)"] += 2  # receive and delete of the admission batch
        ledger.calls["sqs.SendMessage (state machine)"] += len(batch)
        workers.admit_work()(batch)
    held: list[Work] = []
    while len(held) < shards:
        for receipt, message in queue.receive(1, wait_seconds=0):
            key = WorkKey(message.run_id, message.work_id)
            work = leasing.claim_work(settings)(key, attempt=message.attempt, runner_id="bench")
            queue.delete(receipt)
            if work is not None:
                held.append(work)
    _pass_time(ledger, settings, run.run_id, held, minutes=minutes)
    for work in held:
        prefix = _upload(artifacts, work, minutes)
        leasing.commit_work(settings)(work, outcome=WorkOutcome.COMPLETED, prefix=prefix)
        tasks.ingest_shard()(work.key.run_id, work.key.work_id)
    workers.admit_work()([None])


def _pass_time(
    ledger: Ledger, settings: RunnerSettings, run_id: str, held: list[Work], *, minutes: float
) -> None:
    """Heartbeats of one shard stand for those of all, a turn of the watchdog for all turns."""
    before = ledger.write_units, ledger.read_units
    calls = Counter(ledger.calls)
    held[0] = leasing.beat_work(settings)(held[0], Progress(tests_done=1))
    times = minutes * 60 / HEARTBEAT_INTERVAL.total_seconds() * len(held) - 1
    _multiply(ledger, before, calls, times)
    before, calls = (ledger.write_units, ledger.read_units), Counter(ledger.calls)
    workers.watch_run()(run_id)
    _multiply(ledger, before, calls, timedelta(minutes=minutes) / WATCH_INTERVAL - 1)
    ledger.calls["s3.PutObject"] += _log_chunks(settings, minutes * 60) * len(held)
    ledger.calls["s3.PutObject"] += len(held)  # events, at the end
    asked = minutes * 60 / (2 * settings.live_seconds) * len(held)  # whether someone watches
    ledger.calls["dynamodb.GetItem"] += round(asked)
    ledger.read_units += asked / 2


def _log_chunks(settings: RunnerSettings, seconds: float) -> int:
    """Uploads of a log that grows all the time by less than a chunk, and that nobody watches."""
    return ceil(seconds / settings.quiet_seconds)


def _multiply(ledger: Ledger, units: tuple[float, float], calls: Counter[str], times: float) -> None:
    ledger.write_units += (ledger.write_units - units[0]) * times
    ledger.read_units += (ledger.read_units - units[1]) * times
    for call, count in Counter(ledger.calls).items():
        ledger.calls[call] += round((count - calls[call]) * times)


def _write_orders(artifacts: Any, shards: int) -> list[Ticket]:
    order = ShardOrder(
        team="demo",
        test="api",
        variant="",
        archive=ArchiveRef(key="a", digest="sha256:" + "0" * 64, size=1),
        framework="pytest",
        args=("tests",),
        env={"PYTHONPATH": ".deps"},
        selection=tuple(f"tests/api/test_orders.py::test_{number}" for number in range(40)),
        shard_index=0,
        shard_count=shards,
        test_retries=0,
        timeout_seconds=1800,
        reports=(),
        artifacts=(),
    )
    line = order.to_wire().encode()
    artifacts.put("orders", (line + b"\n") * shards)
    return [
        make_ticket(
            number,
            kind=WorkKind.SHARD,
            concurrency=1000,
            order=OrderRef(key="orders", offset=number * (len(line) + 1), length=len(line)),
        )
        for number in range(shards)
    ]


def _upload(artifacts: Any, work: Work, minutes: float) -> str:
    prefix, now = layout.attempt_prefix(work), SystemClock().now()
    key = layout.report_key(prefix, 1, "report.xml")
    artifacts.put(key, _REPORT.encode())
    reports = ((FileRef(path="report.xml", key=key, size=len(_REPORT)),),)
    result = ShardResult(
        exit_code=0,
        started_at=to_iso(now - timedelta(minutes=minutes)),
        finished_at=to_iso(now),
        reports=reports,
    )
    artifacts.put(layout.result_key(prefix), result.to_wire().encode())
    return prefix


def _transitions() -> float:
    """Of a shard: the states of a map's child, and the child's own start."""
    definition = json.loads((_ROOT / "statemachines/runs/test-run.asl.json").read_text(encoding="utf-8"))
    return straight_path(definition["States"]["ExecuteShards"]["ItemProcessor"]) + 1


if __name__ == "__main__":
    main()
