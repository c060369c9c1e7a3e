"""Cancelling a run of a thousand shards: from the request until it has its verdict and holds nothing, against bare writes.

    python -m tests.bench.cancelling [--shards 1000] [--concurrency 100] [--json]

Stand-in runners hold as many shards as may run at once when the request comes; the others wait in the queue. The
baseline is one process that makes as many transactions of three writes on the same emulator in the same run: what
taking the shards' items out of the queue costs by itself.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.local import emulator
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, suite
from tests.storm.run import own_cloud
from tests.storm.weather import Crew

_LONG = 300.0  # seconds that a shard would take


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-cancel-") as folder, own_cloud(Path(folder)) as cloud:
        figures = measure(cloud, Path(folder), shards=options.shards, concurrency=options.concurrency)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:<34} {value:g}" if isinstance(value, float | int) else f"{name:<34} {value}")


def measure(cloud: Cloud, folder: Path, *, shards: int, concurrency: int) -> dict[str, Any]:
    """One run, cancelled while as many of its shards run as may."""
    environ = {
        **emulator.client_environment(cloud.home, cloud.state),
        **json.loads(cloud.state.outputs["RunnerEnvironment"]),
        "CROSSWIND_WORK_FOLDER": str(folder),
        "CROSSWIND_LIVE_SECONDS": "1.5",
        "CROSSWIND_QUIET_SECONDS": "30",
    }
    dynamo = Dynamo(cloud.client("dynamodb"))
    DynamoQueueStore(dynamo=dynamo, table=environ["CROSSWIND_QUEUE_TABLE"]).register_slots(concurrency)
    crew = Crew(environ, folder, 10, -(-concurrency // 10), _LONG)
    crew.fill()
    api = Api.at(cloud.endpoint, cloud.token("admin"))
    try:
        run = api.submit(
            suite([command_job("true", shards={"count": shards})], name="cancel", concurrency=1000),
            files={"readme": "x"},
        )
        api.until(run, lambda view: _leased(view) >= concurrency, seconds=600)
        asked = time.monotonic()
        api.http.delete(f"/api/v1/tests/{run}").raise_for_status()
        answered = time.monotonic()
        view = api.finished(run, seconds=600)
        finished = time.monotonic()
        while cloud.active_entries(run):
            time.sleep(0.1)
        free = time.monotonic()
    finally:
        crew.stop()
    assert view["verdict"]["kind"] == "cancelled", view["verdict"]
    baseline = _bare_writes(dynamo, environ["CROSSWIND_QUEUE_TABLE"], shards)
    return {
        "shards": shards,
        "running when it was cancelled": concurrency,
        "seconds until the request was answered": round(answered - asked, 2),
        "seconds until the verdict": round(finished - asked, 2),
        "seconds until no slot was held": round(free - asked, 2),
        "seconds of as many transactions": round(baseline, 2),
        "ratio": round((finished - asked) / baseline, 2),
    }


def _leased(view: dict[str, Any]) -> int:
    return sum(work["state"] == "leased" and work["workId"].startswith("shard") for work in view["work"])


def _bare_writes(dynamo: Dynamo, table: str, count: int) -> float:
    """Seconds of so many transactions of three writes, one after another."""
    began = time.monotonic()
    for number in range(count):
        keys = [{"pk": {"S": f"bench#{number}"}, "sk": {"S": str(part)}} for part in range(3)]
        dynamo.transact([{"Put": {"TableName": table, "Item": key}} for key in keys])
    return time.monotonic() - began


if __name__ == "__main__":
    main()
