"""What it costs to tell the tests' history of one run: calls, bytes and processor time, without DynamoDB's own.

`python -m tests.bench.history [--tests 100000] [--json]`. The tables are in memory; every test has a full window.
"""

import argparse
import hashlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from crosswind.adapters.aws import history_items
from crosswind.adapters.aws.history_store import DynamoHistoryStore
from crosswind.runs.history.model import JobKey, Observation, TestHistory
from crosswind.runs.history.observing import DURATIONS, OBSERVATIONS
from tests.fakes.samples import run_id
from tests.fakes.time import START

JOB = JobKey("demo", "shop", "api")


class MemoryDynamo:
    """The calls that the store makes, over a dictionary."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls = 0

    def get_many(self, _: str, keys: Sequence[Any]) -> Iterator[dict[str, Any]]:
        self.calls += -(-len(keys) // 100)
        return (self.items[_place(key)] for key in keys if _place(key) in self.items)

    def put(self, _: str, item: dict[str, Any], **__: Any) -> None:
        self.calls += 1
        self.items[_place(item)] = item

    def query(self, _: str, **query: Any) -> Iterator[dict[str, Any]]:
        partition = query["ExpressionAttributeValues"][":pk"]["S"]
        yield {"Items": [item for place, item in self.items.items() if place[0] == partition]}


def _place(item: dict[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def measure(tests: int) -> dict[str, float]:
    """Record one more run of `tests` tests with full windows, then read their timings."""
    chance = random.Random(1)  # noqa: S311  # the same tests every time
    dynamo = MemoryDynamo()
    store = DynamoHistoryStore(dynamo=dynamo, table="tests")  # type: ignore[arg-type]  # the few calls it makes
    names = [
        f"tests/shop/test_{number // 40:04}.py::TestThing::test_case_{number}" for number in range(tests)
    ]
    ids = [hashlib.sha256(name.encode()).hexdigest()[:32] for name in names]
    pages: dict[str, list[TestHistory]] = {}
    for case_id, name in zip(ids, names, strict=True):
        known = tuple(_seen(number, chance) for number in range(OBSERVATIONS))
        history = TestHistory(id=case_id, name=name, first_seen=START, observations=known)
        pages.setdefault(history_items.page_of(case_id), []).append(history)
    for page, members in pages.items():
        dynamo.put("tests", history_items.page_item(JOB, page, members, version=1, now=START))
    stored = [len(item["packed"]["B"]) for item in dynamo.items.values()]
    last = _seen(OBSERVATIONS, chance)
    dynamo.calls = 0
    begin = time.process_time()
    store.record(JOB, {case_id: (name, last) for case_id, name in zip(ids, names, strict=True)}, now=last.at)
    recorded = time.process_time()
    calls = dynamo.calls
    timed = len(store.timings(JOB))
    return {
        "tests": timed,
        "stored_bytes": sum(stored),
        "largest_item_bytes": max(stored),
        "calls": calls,
        "record_cpu_seconds": round(recorded - begin, 2),
        "timings_cpu_seconds": round(time.process_time() - recorded, 2),
    }


def _seen(number: int, chance: random.Random) -> Observation:
    timed = number >= OBSERVATIONS - DURATIONS
    return Observation(
        run_id=run_id(number),
        at=START + number * timedelta(hours=3),
        outcome="p",
        seconds=round(chance.lognormvariate(0, 1), 3) if timed else None,
        commit=hashlib.sha256(str(number).encode()).hexdigest()[:40],
        default_branch=True,
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.tests)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value:>12,}")


if __name__ == "__main__":
    main()
