"""Previewing a fault among ten thousand candidates, against reading them alone.

    python -m tests.bench.preview [--candidates 10000] [--rounds 5] [--json]

A local application with so many services, and a Toxiproxy with so many proxies (its answer is canned: what is measured
is what we do with it). A tenth is picked by percent. The baseline reads and parses the same document.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from crosswind.adapters.http import HttpPeer
from crosswind.adapters.providers.process.provider import ProcessProvider
from crosswind.adapters.providers.toxiproxy import ToxiproxyProvider
from crosswind.chaos.providing import FaultRequest, Provider
from crosswind.contracts.chaos.spec import Pick, TargetSelector
from crosswind.contracts.suites import Scalar
from crosswind.kernel.clock import SystemClock

_RUN = "exp-00000000000000000000000001"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-preview-") as folder:
        figures = [
            _process(Path(folder), options.candidates, options.rounds),
            _toxiproxy(options.candidates, options.rounds),
        ]
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print("provider     candidates  targets   preview    reading alone   ratio")
    for each in figures:
        print(
            f"{each['provider']:<12} {each['candidates']:>10}  {each['targets']:>7}  {each['seconds'] * 1000:6.0f} ms"
            f"  {each['baseline'] * 1000:10.0f} ms  {each['ratio']:6.1f}x"
        )


def _process(folder: Path, candidates: int, rounds: int) -> dict[str, Any]:
    me = {
        "pid": os.getpid(),
        "startedAt": psutil.Process().create_time(),
        "url": "http://127.0.0.1:9",
        "command": ["true"],
        "cwd": str(folder),
        "logFile": str(folder / "log"),
        "labels": {"tier": "back"},
    }
    path = folder / "many" / "application.json"
    path.parent.mkdir()
    # Small entries: the registry is read up to a megabyte, which is more than anybody's laptop runs.
    entry = json.dumps({name: me[name] for name in me}, separators=(",", ":"))
    kept = min(candidates, 1024 * 1024 // (len(entry) + 12) - 1)
    path.write_text(
        '{"services":{' + ",".join(f'"s{number}":{entry}' for number in range(kept)) + "}}", encoding="utf-8"
    )
    provider = ProcessProvider(home=folder, clock=SystemClock())
    request = _request(
        "freeze", TargetSelector(application="many", labels={"tier": "back"}, pick=Pick.PERCENT, percent=10.0)
    )
    return _measure(
        "process", kept, provider, request, lambda: json.loads(path.read_text(encoding="utf-8")), rounds
    )


def _toxiproxy(candidates: int, rounds: int) -> dict[str, Any]:
    proxies = {
        f"proxy-{number}": {"name": f"proxy-{number}", "enabled": True, "toxics": []}
        for number in range(candidates)
    }
    text = json.dumps(proxies)
    peer = HttpPeer(
        "Toxiproxy",
        "http://127.0.0.1:1",
        transport=httpx.MockTransport(lambda _: httpx.Response(200, text=text)),
    )
    request = _request(
        "latency",
        TargetSelector(names=("proxy-*",), pick=Pick.PERCENT, percent=10.0),
        latency=100,
    )
    return _measure(
        "toxiproxy", candidates, ToxiproxyProvider(peer), request, lambda: json.loads(text), rounds
    )


def _request(action: str, selector: TargetSelector, **parameters: Scalar) -> FaultRequest:
    return FaultRequest(
        run_id=_RUN,
        step=1,
        fault="fault",
        action=action,
        selector=selector,
        parameters=parameters,
        percent=100.0,
        duration_seconds=10,
        environment="local",
        team="demo",
    )


def _measure(
    name: str,
    candidates: int,
    provider: Provider,
    request: FaultRequest,
    baseline: Callable[[], object],
    rounds: int,
) -> dict[str, Any]:
    preview = provider.preview(request)
    assert preview.candidates == candidates, preview
    assert not preview.problems, preview.problems
    seconds = statistics.median(_timed(lambda: provider.preview(request)) for _ in range(rounds))
    alone = statistics.median(_timed(baseline) for _ in range(rounds))
    return {
        "provider": name,
        "candidates": candidates,
        "targets": len(preview.targets),
        "seconds": seconds,
        "baseline": alone,
        "ratio": seconds / alone,
    }


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
