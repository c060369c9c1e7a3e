"""Jobs created bare on simulated nodes: what a launcher is measured against.  python -m tests.cluster.bare [JOBS [SECONDS]]

No launcher, no observer: the Jobs are created as fast as the API server takes them, run, and are counted.
"""

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.manifests import RESTRICTED, container, job, pod_spec
from tests.cluster.plane import ControlPlane
from tests.cluster.simulated import Kind, SimulatedNodes, selector, toleration
from tests.cluster.stages import Fate, fate
from tests.cluster.toolbox import ensure_kubernetes, ensure_kwok

NODES = 20
_CREATORS = 8


@dataclass(frozen=True, slots=True)
class Bare:
    """How a batch went; times in seconds from the first Job's creation."""

    jobs: int
    pod_seconds: float
    created: float
    most_at_once: int
    all_running: float
    """When most ran at once."""
    done: float
    course: list[tuple[float, int]] = field(default_factory=list)
    """How many pods ran, over time."""
    usage: dict[str, dict[str, float]] = field(default_factory=dict)


def run_bare(
    cluster: Cluster, namespace: str, *, jobs: int, seconds: float, per_second: float | None = None
) -> Bare:
    """Create the Jobs on Fargate's nodes, at that pace if one is given, and wait until each is counted as succeeded."""
    placed = pod_spec(
        container("run"), nodeSelector=selector(Kind.FARGATE), tolerations=toleration(Kind.FARGATE)
    )
    manifests = [job(f"bare-{number}", placed, fate(Fate.SUCCEED, after=seconds)) for number in range(jobs)]
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    began = time.monotonic()
    course: list[tuple[float, int]] = []

    def create(number: int) -> None:
        if per_second is not None:
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        cluster.raw(path, method="POST", body=manifests[number])

    def create_all() -> float:
        with ThreadPoolExecutor(max_workers=_CREATORS) as pool:
            list(pool.map(create, range(jobs)))
        return time.monotonic() - began

    def finished() -> bool:
        running, succeeded = _count(cluster, namespace)
        course.append((time.monotonic() - began, running))
        return succeeded == jobs

    with ThreadPoolExecutor(max_workers=1) as beside:
        creating = beside.submit(create_all)
        wait_for(finished, what=f"{jobs} Jobs", seconds=seconds + 600, pause=1)
        created = creating.result()
    when, most = max(course, key=lambda look: look[1])
    return Bare(jobs, seconds, created, most, when, course[-1][0], course)


def _count(cluster: Cluster, namespace: str) -> tuple[int, int]:
    """How many Jobs have a running pod, and how many have succeeded."""
    listed = json.loads(cluster.raw(f"/apis/batch/v1/namespaces/{namespace}/jobs?resourceVersion=0"))
    statuses = [each["status"] for each in listed["items"]]
    active = sum(each.get("ready", 0) for each in statuses)
    succeeded = sum(each.get("succeeded", 0) for each in statuses)
    return active, succeeded


def main() -> None:
    """Measure and print."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    with tempfile.TemporaryDirectory() as scratch:
        plane = ControlPlane(ensure_kubernetes(print), Path(scratch))
        cluster = plane.start()
        nodes = SimulatedNodes(ensure_kwok(print), cluster, Path(scratch))
        try:
            nodes.start({Kind.FARGATE: NODES})
            with cluster.namespace("bare", RESTRICTED) as namespace:
                measured = asdict(run_bare(cluster, namespace, jobs=jobs, seconds=seconds))
            measured["usage"] = plane.usage() | {"kwok": nodes.usage()}
            del measured["course"]
            print(json.dumps(_rounded(measured), indent=2))
        finally:
            nodes.stop()
            plane.stop()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(value, 1) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
