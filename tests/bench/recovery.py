"""How soon a shard runs again whose runner was killed -9: from the kill to the next lease, against the lease's own length.

    python -m tests.bench.recovery [--kills 12] [--json]

As many runners as kills each hold one sleeping shard; they are killed one after the other, some seconds apart so that the kills fall at
different moments of the heartbeat and of the watch. The baseline is the 30 s lease: nothing can be known to be lost before it ends.
"""

import argparse
import json
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from crosswind.local import processes
from crosswind.local.cloud import EmbeddedCloud, UpOptions
from crosswind.local.home import Home
from crosswind.runs.model import LEASE_DURATION
from tests.bench.scale import token
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, suite

_APART_SECONDS = 3.1
_LONGEST_SECONDS = 180.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as folder:
        home = Home(Path(folder))
        cloud = EmbeddedCloud(home, report=lambda text: print(text, flush=True))
        port, emulator_port = processes.free_ports(2)
        state = cloud.up(UpOptions(port=port, emulator_port=emulator_port, runners=options.kills))
        try:
            api = Api.at(state.endpoint, token(home, state.endpoint))
            seconds = measure(api, Cloud(home, port, emulator_port), kills=options.kills)
        finally:
            cloud.down()
    ordered, lease = sorted(seconds), LEASE_DURATION.total_seconds()
    figures = {
        "kills": len(ordered),
        "lease_seconds": lease,
        "median_seconds": statistics.median(ordered),
        "p95_seconds": ordered[max(0, round(0.95 * len(ordered)) - 1)],
        "max_seconds": ordered[-1],
    }
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{len(ordered)} kills; from the kill to the next lease, with a lease of {lease:.0f} s:")
    for name in ("median", "p95", "max"):
        value = figures[f"{name}_seconds"]
        print(f"  {name:<7} {value:5.1f} s   {value / lease:4.2f} x")


def measure(api: Api, cloud: Cloud, *, kills: int) -> list[float]:
    """Seconds from each kill to the shard's next lease."""
    job = command_job("sleep 900", shards={"count": kills}, timeout="20m")
    run = api.submit(suite([job], name="bench-recovery"), files={"readme": "x"})
    view = api.until(run, lambda view: leased(view) == kills, seconds=_LONGEST_SECONDS)
    killed: dict[str, float] = {}
    again: dict[str, float] = {}
    for work in [work for work in view["work"] if work["state"] == "leased"]:
        os.kill(cloud.runner_pid(work["runner"]), signal.SIGKILL)
        killed[work["workId"]] = time.monotonic()
        note(api, run, killed, again, until=time.monotonic() + _APART_SECONDS)
    note(api, run, killed, again, until=time.monotonic() + _LONGEST_SECONDS)
    api.http.delete(f"/api/v1/tests/{run}")
    assert len(again) == kills, f"only {len(again)} of {kills} shards ran again in {_LONGEST_SECONDS:.0f} s"
    return [again[work_id] - killed[work_id] for work_id in again]


def leased(view: dict[str, Any]) -> int:
    """How many shards are on a runner."""
    return sum(work["state"] == "leased" and work["workId"].startswith("shard") for work in view["work"])


def note(api: Api, run: str, killed: dict[str, float], again: dict[str, float], *, until: float) -> None:
    """Watch until a moment, or until every killed shard has been taken again."""
    while time.monotonic() < until and len(again) < max(len(killed), 1):
        for work in api.run(run, detail=True)["work"]:
            if work["workId"] in killed and work["attempt"] > 1 and work["state"] == "leased":
                again.setdefault(work["workId"], time.monotonic())
        time.sleep(0.2)


if __name__ == "__main__":
    main()
