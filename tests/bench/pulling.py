"""What pulling costs a runner: `python -m tests.bench.pulling [--json] [--rounds 5]`.

A suite of 500 small tests in 50 files runs as one fixed selection, then as batches through the live process, then with a
process for each batch. Stores are in memory: this is the runner's and pytest's own time, without the table and S3. Of the
rounds the quickest counts, for anything slower is the machine's.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from crosswind.contracts.work import ShardOrder
from tests.unit.runner.rig import Rig

FILES, TESTS = 50, 10
SUITE = {
    f"test_{file:02d}.py": "import pytest\n@pytest.fixture(scope='module')\ndef ready(): return 1\n"
    + "".join(f"def test_{test}(ready): assert ready == 1\n" for test in range(TESTS))
    for file in range(FILES)
}
BY_FILE = tuple(tuple(f"{name}::test_{test}" for test in range(TESTS)) for name in SUITE)
ALL = tuple(test_id for unit in BY_FILE for test_id in unit)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one way to run the suite."""

    way: str
    batches: int
    seconds: float
    milliseconds_per_batch: float  # beyond the one fixed selection


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ways: dict[str, tuple[int, Callable[[Rig], ShardOrder]]] = {
        "one selection": (
            0,
            lambda rig: rig.shard(SUITE, framework="pytest", selection=ALL, timeout_seconds=300),
        ),
        "10 batches of 50 tests": (
            10,
            lambda rig: rig.pull_shard(SUITE, *_in_units(50), timeout_seconds=300),
        ),
        "50 batches of 10 tests": (50, lambda rig: rig.pull_shard(SUITE, *BY_FILE, timeout_seconds=300)),
        "500 batches of 1 test": (500, lambda rig: rig.pull_shard(SUITE, *_in_units(1), timeout_seconds=300)),
        "10 batches, a process each": (
            10,
            lambda rig: rig.pull_shard(SUITE, *_in_units(50), args=("-n1",), timeout_seconds=300),
        ),
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(options.rounds):
        for way, (_, order) in ways.items():
            best[way] = min(best[way], _measure(order))
    base = best["one selection"]
    figures = [
        Figures(way, batches, round(best[way], 3), round(1000 * (best[way] - base) / max(batches, 1), 2))
        for way, (batches, _) in ways.items()
    ]
    if options.json:
        print(json.dumps([asdict(each) for each in figures], indent=2))
        return
    for each in figures:
        print(f"{each.way:28} {each.seconds:7.3f} s  {each.milliseconds_per_batch:8.2f} ms a batch")


def _in_units(size: int) -> Sequence[tuple[str, ...]]:
    return [ALL[start : start + size] for start in range(0, len(ALL), size)]


def _measure(order: Callable[[Rig], ShardOrder]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        wanted = order(rig)
        begun = time.perf_counter()
        rig.carry_out(wanted)
        took = time.perf_counter() - begun
        if rig.result().exit_code != 0:
            raise SystemExit(rig.log())
        return took


if __name__ == "__main__":
    main()
