"""How many admission decisions a second the policy makes, and whether that depends on how much waits.

    python -m tests.bench.admission_pure [--json]

Three teams at three priorities, runs of 1,000 shards, 200 slots of which 100 are free at each look. The policy gets each
lane as the store lists it: cut to as many entries as there are free slots. The baseline is the queue of 1,000; sizes take
turns, and processor time is measured, so that what else the machine does falls on all alike.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.forecast import forecast
from crosswind.runs.admission.model import Capacity, Lane, Queue, QueueEntry, TeamPolicy, Usage
from crosswind.runs.admission.policy import admit
from crosswind.runs.model import WorkKey

_SIZES = (1_000, 10_000, 50_000)
_LANE = 1_000
_SLOTS = 200
_FREE = 100
_ROUNDS = 60
_NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
_TEAMS = {"checkout": TeamPolicy(), "search": TeamPolicy(weight=2), "shop": TeamPolicy(quota=80)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure()
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{_FREE} of {_SLOTS} slots free at each look, median of {_ROUNDS} looks:")
    for row in figures["sizes"]:
        print(
            f"  {row['queued']:>6} queued   {row['decisions_per_second']:>8,.0f} decisions/s"
            f"   {row['round_ms']:6.2f} ms a look   {row['ratio']:4.2f} x   forecast {row['forecast_ms']:6.0f} ms"
        )


def measure() -> dict[str, Any]:
    """Decisions per second at each size, with the ratio of the time of a look to that of the smallest queue."""
    capacity = Capacity(_SLOTS, launches_per_second=1000, launch_burst=1000, teams=_TEAMS)
    usage = Usage(tuple(replace(entry, admitted_at=_NOW) for entry in _entries(99, _SLOTS - _FREE)))
    queues = {size: Queue(tuple(_lane(run) for run in range(size // _LANE))) for size in _SIZES}
    looks: dict[int, list[float]] = {size: [] for size in _SIZES}
    for _ in range(_ROUNDS):
        for size, queue in queues.items():
            looks[size].append(_seconds(partial(admit, queue, usage, capacity, _NOW)))
    baseline = statistics.median(looks[_SIZES[0]])
    rows = [
        {
            "queued": size,
            "lanes": len(queue.lanes),
            "decisions_per_second": len(admit(queue, usage, capacity, _NOW).admitted) / seconds,
            "round_ms": seconds * 1000,
            "ratio": seconds / baseline,
            "forecast_ms": 1000
            * _seconds(partial(forecast, queue, usage, capacity, _NOW, run_id=queue.lanes[-1].run_id)),
        }
        for size, queue in queues.items()
        if (seconds := statistics.median(looks[size]))
    ]
    return {"slots": _SLOTS, "free": _FREE, "rounds": _ROUNDS, "sizes": rows}


def _seconds(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def _lane(run: int) -> Lane:
    return Lane(_run_id(run), tuple(_entries(run, _FREE)), waiting=_LANE)


def _entries(run: int, count: int) -> list[QueueEntry]:
    return [
        QueueEntry(
            key=WorkKey(_run_id(run), f"shard-{number:05d}"),
            team=tuple(_TEAMS)[run % len(_TEAMS)],
            suite="regression",
            priority=tuple(Priority)[run // len(_TEAMS) % len(Priority)],
            concurrency=1000,
            enqueued_at=_NOW - timedelta(seconds=37 * run % 1700),
            estimate_seconds=300 - number,
        )
        for number in range(count)
    ]


def _run_id(run: int) -> str:
    return f"run-{run:026d}"


if __name__ == "__main__":
    main()
