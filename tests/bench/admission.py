"""Admission through DynamoDB on the embedded cloud: decisions per second with 1,000, 10,000 and 50,000 shards queued.

    python -m tests.bench.admission [--queued 1000 10000 50000] [--json]

The embedded cloud runs without runners and without Lambdas at work: the scheduler of the admission worker is called here, against
the deployed queue. Three teams, lanes of 1,000 shards. Two figures for each size: `fill` admits into 100 free slots at once,
`steady` frees one slot at a time and admits into it, as when shards end one after the other. The baseline is the smallest size.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from crosswind.adapters.aws.attributes import Item
from crosswind.adapters.aws.work_items import queue_item, work_item
from crosswind.bootstrap import clients, stores
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import OrderRef, WorkKind
from crosswind.kernel.clock import SystemClock
from crosswind.local import emulator, processes
from crosswind.local.cloud import EmbeddedCloud, UpOptions
from crosswind.local.home import Home
from crosswind.runs.admission.lanes import Lanes
from crosswind.runs.admission.model import Capacity
from crosswind.runs.admission.ports import QueueStore
from crosswind.runs.model import Work, WorkKey, WorkState
from crosswind.runs.ports import WorkStore
from crosswind.runs.usecases.changing import PerformEffects
from crosswind.runs.usecases.scheduling import RunScheduler
from crosswind.settings import StoreSettings
from tests.fakes import MemoryQueues, MemoryTaskTokens

SLOTS = 100
STEADY = 200
LANE = 1_000
TEAMS = ("search", "shop", "pay")
_WRITERS = 4
_BATCH = 25


@dataclass(frozen=True)
class Figure:
    """One size's measurements."""

    queued: int
    lanes: int
    fill_per_second: float
    steady_per_second: float
    fill_ratio: float = 1.0
    steady_ratio: float = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--queued", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as folder:
        home = Home(Path(folder))
        cloud = EmbeddedCloud(home, report=lambda text: print(text, flush=True))
        port, emulator_port = processes.free_ports(2)
        state = cloud.up(UpOptions(port=port, emulator_port=emulator_port, runners=0))
        try:
            os.environ.update(emulator.client_environment(home, state))
            settings = StoreSettings.from_env(json.loads(state.outputs["RunnerEnvironment"]))
            figures = measure_all(settings, sorted(options.queued))
        finally:
            cloud.down()
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    print("queued   lanes   fill              steady            (decisions/s, ratio to the smallest)")
    for figure in figures:
        print(
            f"{figure.queued:6d}  {figure.lanes:6d}"
            f"   {figure.fill_per_second:6.0f}/s  {figure.fill_ratio:4.2f} x"
            f"   {figure.steady_per_second:6.1f}/s  {figure.steady_ratio:4.2f} x"
        )


def measure_all(settings: StoreSettings, sizes: list[int]) -> list[Figure]:
    """Each size on the queue of the size before, filled up."""
    queue, works = stores.queue_store(settings), stores.work_store(settings)
    figures: list[Figure] = []
    enqueued = 0
    for size in sizes:
        missing = size - queue.waiting_count(at_most=size)
        enqueue(settings, works, range(enqueued, enqueued + missing))
        enqueued += missing
        figures.append(measure(queue, works, size=size))
    first = figures[0]
    return [
        replace(
            figure,
            fill_ratio=figure.fill_per_second / first.fill_per_second,
            steady_ratio=figure.steady_per_second / first.steady_per_second,
        )
        for figure in figures
    ]


def enqueue(settings: StoreSettings, works: WorkStore, numbers: range) -> None:
    """Waiting shards as the admission worker stores them, in batches instead of one by one."""
    shards = [replace(shard(number), version=1) for number in numbers]
    items = [(settings.runs_table, work_item(work, retention=timedelta(days=1))) for work in shards]
    items += [(settings.queue_table, item) for item in map(queue_item, shards) if item is not None]
    groups = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(_write, groups):
            pass
    for work in {work.key.run_id: work for work in shards}.values():
        works.line_up(work)


def _write(items: list[tuple[str, Item]]) -> None:
    requests: dict[str, Any] = {}
    for table, item in items:
        requests.setdefault(table, []).append({"PutRequest": {"Item": item}})
    answer = clients.dynamodb().batch_write_item(RequestItems=requests)
    assert not answer.get("UnprocessedItems")


def shard(number: int) -> Work:
    """The shard of that number: a thousand to a run, the runs in turn of three teams and of three priorities."""
    run, index = divmod(number, LANE)
    run_id = f"run-{run:026d}"
    return Work(
        key=WorkKey(run_id=run_id, work_id=f"shard-{index:05d}"),
        kind=WorkKind.SHARD,
        team=TEAMS[run % len(TEAMS)],
        suite="bench",
        test="api",
        priority=tuple(Priority)[run % len(Priority)],
        stage=0,
        concurrency=1000,
        infrastructure_retries=3,
        queue_seconds=3600,
        estimate_seconds=1.0 + index % 7,
        order=OrderRef(key=f"runs/{run_id}/stages/00/orders.jsonl", offset=index * 100, length=100),
        state=WorkState.WAITING,
        version=0,
        epoch=0,
        attempt=1,
        token="t" * 800,
        enqueued_at=SystemClock().now() + timedelta(milliseconds=number % 1000),
    )


def measure(queue: QueueStore, works: WorkStore, *, size: int) -> Figure:
    """Fill the free slots at once, then one at a time; leave no slot taken."""
    schedule = scheduler(queue, works)
    queue.register_slots(1)
    schedule()  # connections, and the first look at the lanes
    finish(queue, works, SLOTS)
    lanes = len(queue.lanes())
    queue.register_slots(SLOTS)
    fill = rate(schedule)
    seconds = 0.0
    for _ in range(STEADY):
        finish(queue, works, 1)
        started = time.perf_counter()
        assert schedule() == 1
        seconds += time.perf_counter() - started
    finish(queue, works, SLOTS)
    return Figure(size, lanes, fill, STEADY / seconds)


def rate(schedule: Callable[[], int]) -> float:
    """Decisions per second of one call."""
    started = time.perf_counter()
    count = schedule()
    return count / (time.perf_counter() - started)


def finish(queue: QueueStore, works: WorkStore, count: int) -> None:
    """End some of what is active; whoever stands first in the list."""
    keys = [entry.key for entry in islice(queue.active(), count)]
    for start in range(0, len(keys), 100):
        for work in works.get_many(keys[start : start + 100]):
            works.save(work, replace(work, state=WorkState.DONE))


def scheduler(queue: QueueStore, works: WorkStore) -> RunScheduler:
    """The admission worker's scheduler; what it dispatches stays here."""
    queues = MemoryQueues()
    return RunScheduler(
        queue=queue,
        works=works,
        perform=PerformEffects(queues, MemoryTaskTokens()),
        queues=queues,
        clock=SystemClock(),
        owner="bench",
        lanes=Lanes(queue),
        defaults=Capacity(slots=1),
        pause=time.sleep,
    )


if __name__ == "__main__":
    main()
