"""Drives one storm: nine runs of three teams at three priorities, and the weather around them until all are finished."""

import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.local import emulator, processes
from crosswind.local.home import Home
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, pack, suite
from tests.storm.judging import Outcome, judge
from tests.storm.weather import Crew, Messages, restart, throttle

TEAMS = ("checkout", "search", "payments")
PRIORITIES = ("P0", "P1", "P2")
_FINISH_SECONDS = 1200.0


@dataclass(frozen=True, kw_only=True)
class Storm:
    """How large, and how bad."""

    shards: int
    concurrency: int
    median_seconds: float
    kill_every_seconds: float
    kills: int  # then it calms down: what was lost last still has to come back
    throttled_share: float = 0.05
    restarts: int = 1
    seed: int = 1


def blow(storm: Storm, *, folder: Path) -> Outcome:
    """One storm on an embedded cloud of its own. Raises AssertionError where a run does not finish at all."""
    with own_cloud(folder) as cloud:
        environ = {
            **emulator.client_environment(cloud.home, cloud.state),
            **json.loads(cloud.state.outputs["RunnerEnvironment"]),
            "CROSSWIND_WORK_FOLDER": str(folder),
            "CROSSWIND_LIVE_SECONDS": "1.5",
            "CROSSWIND_QUIET_SECONDS": "30",
        }
        DynamoQueueStore(
            dynamo=Dynamo(cloud.client("dynamodb")), table=environ["CROSSWIND_QUEUE_TABLE"]
        ).register_slots(storm.concurrency)
        slots_each = max(1, storm.concurrency // 10)
        crew = Crew(environ, folder, -(-storm.concurrency // slots_each), slots_each, storm.median_seconds)
        crew.fill()
        try:
            return _through(storm, cloud, crew)
        finally:
            crew.stop()


def _through(storm: Storm, cloud: Cloud, crew: Crew) -> Outcome:
    counts: Counter[str] = Counter()
    stop = threading.Event()
    queues = [crew.environ[f"CROSSWIND_{name}_QUEUE_URL"] for name in ("ADMISSION", "EXECUTOR")]
    disturbers = [
        threading.Thread(target=Messages(cloud.client("sqs"), url, counts, stop).disturb) for url in queues
    ]
    api = Api.at(cloud.endpoint, cloud.token("admin"))
    began = time.time()
    runs = submit_all(api, storm)
    for disturber in disturbers:
        disturber.start()
    try:
        _blow_until_finished(storm, cloud, crew, api, runs, counts)
    finally:
        throttle(cloud, 0)
        stop.set()
        for disturber in disturbers:
            disturber.join()
    return judge(
        cloud, api, runs=runs, began=began, shards=storm.shards, faults=dict(counts), journal=crew.journal()
    )


def submit_all(api: Api, storm: Storm) -> dict[str, tuple[str, str]]:
    """The runs, the least urgent first, by id with team and priority."""
    runs = {}
    left, groups = storm.shards, len(TEAMS) * len(PRIORITIES)
    for priority in reversed(PRIORITIES):
        for team in TEAMS:
            count = left // groups
            left, groups = left - count, groups - 1
            digest = api.upload(pack({"readme": f"{team} {priority}"}), team=team)
            job = command_job("true", shards={"count": count}, retries={"infrastructure": 10})
            job["source"] = {"archive": {"digest": digest}}
            name = f"storm-{team}-{priority.lower()}"
            spec = suite([job], name=name, team=team, priority=priority, concurrency=1000)
            runs[api.submit(spec)] = (team, priority)
    return runs


def _blow_until_finished(
    storm: Storm, cloud: Cloud, crew: Crew, api: Api, runs: dict[str, tuple[str, str]], counts: Counter[str]
) -> None:
    chance = random.Random(storm.seed)  # noqa: S311  # no secret
    began = time.monotonic()
    next_kill, restarts, rounds = storm.kill_every_seconds, 0, 0
    while unfinished(api, runs):
        elapsed = time.monotonic() - began
        assert elapsed < _FINISH_SECONDS, f"not finished in {_FINISH_SECONDS:.0f} s: {unfinished(api, runs)}"
        if rounds == storm.kills:
            throttle(cloud, 0)
        elif elapsed >= next_kill:
            next_kill += storm.kill_every_seconds
            rounds += 1
            counts["runners killed (leases at most)"] += crew.kill_one(chance)
            counts["Lambda workers killed"] += cloud.kill_lambda_workers() if rounds % 2 else 0
            throttle(cloud, storm.throttled_share if rounds % 3 == 1 else 0)
            counts["throttled spells"] += rounds % 3 == 1
        if restarts < storm.restarts and elapsed >= (2.5 + 4 * restarts) * storm.kill_every_seconds:
            restarts += 1
            throttle(cloud, 0)
            restart(cloud)
            counts["emulator killed and restarted"] += 1
        time.sleep(1.0)


def unfinished(api: Api, runs: dict[str, tuple[str, str]]) -> list[str]:
    """Runs without a verdict. An answer that was refused is asked for again, as clients do."""
    left = []
    for run in runs:
        try:
            answer = api.http.get(f"/api/v1/tests/{run}")
        except httpx.HTTPError:
            left.append(run)
            continue
        refused = answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
        if refused or answer.raise_for_status().json()["state"] != "finished":
            left.append(run)
    return left


@contextmanager
def own_cloud(folder: Path) -> Iterator[Cloud]:
    """An embedded cloud without runners."""
    port, emulator_port = processes.free_ports(2)
    cloud = Cloud(home=Home(folder / "home"), port=port, emulator_port=emulator_port)
    try:
        cloud.up(runners=0)
        yield cloud
    finally:
        cloud.crosswind("reset", "--yes")


def in_temporary_folder(storm: Storm) -> Outcome:
    """One storm that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="crosswind-storm-") as folder:
        return blow(storm, folder=Path(folder))
