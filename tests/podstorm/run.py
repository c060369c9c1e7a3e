"""One run of many shards in pods, calm or in a storm, from its submission until nothing of it is left."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from crosswind.local.home import LocalError
from crosswind.runs.pods.jobs import TTL_SECONDS
from tests.cluster.clusters import wait_for
from tests.e2e.runs import Api, command_job, pack, suite
from tests.podstorm.judging import Outcome, judge
from tests.podstorm.weather import Weather, storm
from tests.podstorm.world import CLUSTER, NAMESPACE, PENDING_SECONDS, TEAM, World, every_minute
from tests.storm.run import unfinished

AGENT_PROCESSES = 4
_FINISH_SECONDS = 1800.0
_LOOK_SECONDS = 5.0
_GONE_SECONDS = TTL_SECONDS + 120.0


def carry_out(world: World, *, shards: int, seconds: float, stormy: bool, each: int = 15) -> Outcome:
    """Submit, wait, and judge.

    Args:
        seconds: How long each shard's tests take.
        stormy: With everything that breaks, and with a controller in the cluster; otherwise the Lambda looks after it.
        each: How many pods each kind of fault hits.
    """
    api = Api.at(world.cloud.endpoint, world.cloud.token("admin"))
    secrets, calls = _secrets(world), world.calls
    weather = Weather(world.cloud, world.plane, world.nodes, world.fronts, world.controller, NAMESPACE, each)
    with world.agents(AGENT_PROCESSES, seconds) as journals, every_minute(world) as memory:
        digest = api.upload(pack({"readme": f"{shards} {stormy}"}), team=TEAM)
        began = time.time()
        with _blowing(world, weather, seconds) if stormy else nullcontext():
            run = api.submit(_suite(digest, shards))
            _wait_until_finished(api, run)
        left = _left_behind(world, secrets)
    if stormy:
        world.controller.stop()
        memory.most["controller"] = world.controller.most_mib
    return judge(
        world.cloud, api, run,
        began=began, shards=shards, journals=journals, left_behind=left,
        calls=dict(world.calls - calls), memory=memory.most, expected=weather.expected,
        faults=dict(weather.counts), marks=weather.at,
    )  # fmt: skip


def _wait_until_finished(api: Api, run: str) -> None:
    """Asked seldom: each answer has the emulator read every shard's item."""
    wait_for(
        lambda: not unfinished(api, {run: (TEAM, "P1")}),
        what=run,
        seconds=_FINISH_SECONDS,
        pause=_LOOK_SECONDS,
    )


@contextmanager
def _blowing(world: World, weather: Weather, seconds: float) -> Iterator[None]:
    """The storm, beside what happens in the block; it calms down when that ends."""
    over = threading.Event()
    world.controller.start()
    limits = {"over": over, "closed_seconds": 3 * PENDING_SECONDS, "seconds": 0.9 * seconds}
    blower = threading.Thread(target=storm, args=(weather,), kwargs=limits)
    blower.start()
    try:
        yield
    finally:
        over.set()
        blower.join()


def _suite(digest: str, shards: int) -> dict[str, Any]:
    job = command_job(
        "true",
        shards={"count": shards},
        retries={"infrastructure": 10},
        timeout="15m",
        resources={"cpu": "250m", "memory": "512Mi"},
    )
    job["source"] = {"archive": {"digest": digest}}
    return suite([job], name="pods", team=TEAM, concurrency=1000, cluster=CLUSTER)


def _left_behind(world: World, secrets: set[str]) -> int:
    """What is still there when everything has had its time to go: Jobs, pods, secrets."""

    def count() -> int:
        core, batch = world.plane.cluster.core, world.plane.cluster.batch
        jobs = batch.list_namespaced_job(NAMESPACE, limit=100).items
        pods = core.list_namespaced_pod(NAMESPACE, limit=100).items
        return len(jobs) + len(pods) + len(_secrets(world) - secrets)

    try:
        wait_for(lambda: count() == 0, what="everything to go", seconds=_GONE_SECONDS, pause=2)
    except LocalError:
        return count()
    return 0


def _secrets(world: World) -> set[str]:
    return {each.metadata.name for each in world.plane.cluster.core.list_namespaced_secret(NAMESPACE).items}
