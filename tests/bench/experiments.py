"""A hundred chaos experiments at once on the embedded cloud: each freezes a process of its own, on two cores.

    python -m tests.bench.experiments [--experiments 100] [--runners 20] [--json]

Every experiment watches its own small server for two seconds, freezes it for five while a neighbour has to answer, lets
go and watches it come back.
All are started at once. A monitor is leased work: as many watch at once as there are runners, and the other runs wait
with nothing injected. The baseline is the same experiment alone, on the same cloud in the same run, its Lambdas warm.
At the end the operating system is asked what is frozen, and for any process that still holds a fault.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from crosswind.adapters.aws.chaos_run_store import DynamoExperimentRunStore
from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.chaos.model import ExperimentRun
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.kernel.clock import SystemClock
from crosswind.local.home import Home
from crosswind.local.processes import free_ports
from tests.e2e.conftest import Cloud
from tests.e2e.experiments import Application, Experiments, application, document, freeze

_ALONE = 4  # the first of them pays for cold Lambdas and is not counted
_FROZEN_SECONDS = 5
_HOLDER = "crosswind.adapters.providers.process.holder"
_OVER = frozenset({RunState.ANALYZED, RunState.RECOVERY_UNVERIFIED})
_CALLERS = 8


@dataclass
class Frozen:
    """What the operating system said while the runs went on."""

    most: int = 0
    samples: int = 0

    def look(self, applications: Sequence[Application]) -> None:
        self.most = max(self.most, sum(each.frozen for each in applications))
        self.samples += 1


@dataclass(frozen=True)
class Passage:
    """One run, as its timeline tells it. Seconds from the moment at which it was asked for."""

    run: ExperimentRun
    whole: float | None
    to_monitoring: float | None
    blocked: int


@dataclass(frozen=True)
class Bench:
    """The users, the servers, and the runs as they are stored."""

    experiments: Experiments
    applications: Sequence[Application]
    witness: Application
    store: DynamoExperimentRunStore
    frozen: Frozen = field(default_factory=Frozen)

    def prepare(self) -> list[str]:
        """A definition for every server, written by one user and approved by another."""
        with ThreadPoolExecutor(_CALLERS) as callers:
            return list(callers.map(self._prepare, self.applications))

    def start(self, names: Sequence[str]) -> list[str]:
        """All of them, as near to at once as the API lets."""
        with ThreadPoolExecutor(_CALLERS) as callers:
            return list(callers.map(self.experiments.again, names))

    def until_over(self, runs: Sequence[str], *, seconds: float) -> list[Passage]:
        """Every run as it is when all are over, or the time is."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.frozen.look(self.applications)
            going_on = {each.run_id for each in self.store.unfinished() if each.state not in _OVER}
            if not going_on.intersection(runs):
                break
            time.sleep(1)
        return [self._passage(each) for each in runs]

    def left(self) -> dict[str, int]:
        """What is still injected: the operating system is asked, not the platform."""
        mine = {each.process.pid for each in self.applications}
        holders = 0
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            holders += _HOLDER in line and json.loads(line[-1])["pid"] in mine
        dead = sum(not each.process.is_running() for each in self.applications)
        return {
            "processes still frozen": sum(each.frozen for each in self.applications),
            "processes that hold a fault": holders,
            "servers that died": dead,
        }

    def _prepare(self, server: Application) -> str:
        spec = document(server.name, server.url, freeze(server.name, _FROZEN_SECONDS), timeout="20m")
        (probe,) = spec["spec"]["hypothesis"]["probes"]
        neighbour = {**probe, "name": "neighbour", "url": self.witness.url, "timeout": "5s"}
        probe |= {"phases": ["before", "after"], "timeout": "5s"}
        spec["spec"]["hypothesis"]["probes"].append(neighbour)
        name = self.experiments.store(spec)
        self.experiments.approve(name)
        return name

    def _passage(self, run_id: str) -> Passage:
        run = self.store.get(run_id)
        lines = self.store.timeline(run_id, limit=200, cursor=None).items
        reached = [(line.state, line.at) for line in lines if line.state is not None]
        return Passage(
            run,
            whole=_seconds(run, reached, RunState.ANALYZED),
            to_monitoring=_seconds(run, reached, RunState.MONITORING),
            blocked=sum(state is RunState.BLOCKED for state, _ in reached),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--runners", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1500, help="to wait at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with bench(options.experiments, runners=options.runners) as made:
        figures = measure(made, runners=options.runners, seconds=options.seconds)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:<52} {value}")


@contextmanager
def bench(count: int, *, runners: int) -> Iterator[Bench]:
    """An embedded cloud and servers of our own."""
    with tempfile.TemporaryDirectory(prefix="crosswind-experiments-") as folder:
        port, emulator_port = free_ports(2)
        cloud = Cloud(home=Home(Path(folder) / "home"), port=port, emulator_port=emulator_port)
        try:
            cloud.up(runners=runners)
            with ExitStack() as servers:
                names = [f"server-{number:03d}" for number in range(count)]
                applications = [servers.enter_context(application(cloud, name)) for name in names]
                witness = servers.enter_context(application(cloud, "witness"))
                yield Bench(Experiments(cloud), applications, witness, _store(cloud))
        finally:
            cloud.crosswind("reset", "--yes")


def measure(bench: Bench, *, runners: int, seconds: float) -> dict[str, Any]:
    """The baseline, then all at once."""
    names = bench.prepare()
    alone = []
    for _ in range(_ALONE):
        alone += bench.until_over(bench.start(names[:1]), seconds=seconds)
        _progress(f"alone: {alone[-1].whole} s")
    baseline = statistics.median(each.whole or seconds for each in alone[1:])
    bench.frozen.most = 0
    load = psutil.getloadavg()[0]
    began = time.monotonic()
    runs = bench.start(names)
    started = time.monotonic() - began
    _progress(f"{len(runs)} are asked for")
    passages = bench.until_over(runs, seconds=seconds)
    whole = time.monotonic() - began
    durations = sorted(each.whole for each in passages if each.whole is not None)
    waits = sorted(each.to_monitoring for each in passages if each.to_monitoring is not None)
    verdicts = Counter(each.run.verdict.value if each.run.verdict else "none" for each in passages)
    states = Counter(each.run.state.value for each in passages)
    reasons = Counter(_reason(each.run) for each in passages if each.run.abort is not None)
    return {
        "experiments": len(runs),
        "runners": runners,
        "load average before": round(load, 1),
        "one alone, warm: seconds": round(baseline, 1),
        "one alone, cold: seconds": round(alone[0].whole or 0, 1),
        "seconds until all were asked for": round(started, 1),
        "seconds until all were over": round(whole, 1),
        "of so many alone, one after another": round(whole / (baseline * len(runs)), 3),
        "of so many alone, as many at once as runners": round(
            whole / (baseline * -(-len(runs) // runners)), 2
        ),
        "states": dict(states),
        "verdicts": dict(verdicts),
        "aborts": dict(reasons),
        "runs that were blocked in between": sum(each.blocked > 0 for each in passages),
        "p50 of a run": _quantile(durations, 0.5),
        "p95 of a run": _quantile(durations, 0.95),
        "p50 of a run, of one alone": _ratio(_quantile(durations, 0.5), baseline),
        "p95 of a run, of one alone": _ratio(_quantile(durations, 0.95), baseline),
        "p50 from asked for to Monitoring": _quantile(waits, 0.5),
        "longest from asked for to Monitoring": _quantile(waits, 1.0),
        "most frozen at once": bench.frozen.most,
        **bench.left(),
    }


def _progress(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def _store(cloud: Cloud) -> DynamoExperimentRunStore:
    client = cloud.client("dynamodb")
    (table,) = (each for each in client.list_tables()["TableNames"] if "chaos" in each.lower())
    return DynamoExperimentRunStore(
        dynamo=Dynamo(client), table=table, clock=SystemClock(), retention=timedelta(days=1)
    )


def _seconds(
    run: ExperimentRun, reached: Sequence[tuple[RunState, datetime]], wanted: RunState
) -> float | None:
    first = next((at for state, at in reached if state is wanted), None)
    return (first - run.created_at).total_seconds() if first else None


def _reason(run: ExperimentRun) -> str:
    assert run.abort is not None
    return f"{run.abort.cause.value}: {run.abort.reason[:120]}"


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def _ratio(value: float | None, baseline: float) -> float | None:
    return round(value / baseline, 2) if value is not None else None


if __name__ == "__main__":
    main()
