"""A hundred Jobs on simulated nodes, and what can be done to their pods while they run."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.history import pod_history
from tests.cluster.manifests import container, job, pod_spec
from tests.cluster.plane import ControlPlane
from tests.cluster.simulated import CAPACITY_TYPE, COMPUTE_TYPE, Kind, SimulatedNodes, selector, toleration
from tests.cluster.stages import Fate, fate

pytestmark = pytest.mark.xdist_group("cluster")

_JOBS = 100


def on(kind: Kind, name: str, annotations: dict[str, str] | None = None) -> dict[str, object]:
    """A Job on simulated nodes of a kind."""
    placed = pod_spec(container("run"), nodeSelector=selector(kind), tolerations=toleration(kind))
    return job(name, placed, annotations)


def create(cluster: Cluster, namespace: str, jobs: list[dict[str, object]]) -> None:
    """Create Jobs, eight at a time."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        for done in [pool.submit(cluster.batch.create_namespaced_job, namespace, each) for each in jobs]:
            done.result()


def phases(cluster: Cluster, namespace: str) -> Counter[str]:
    """How many pods are in each phase."""
    return Counter(pod.status.phase for pod in cluster.core.list_namespaced_pod(namespace).items)


def test_a_hundred_jobs_run_to_the_end(
    working_cluster: Cluster, nodes: SimulatedNodes, namespace: str
) -> None:
    cluster = working_cluster
    kinds = [Kind.FARGATE, Kind.SPOT]
    bad = range(0, _JOBS, 10)
    create(
        cluster,
        namespace,
        [
            on(
                kinds[number % 2],
                f"job-{number}",
                fate(Fate.FAIL if number in bad else Fate.SUCCEED, after=2),
            )
            for number in range(_JOBS)
        ],
    )
    wait_for(lambda: phases(cluster, namespace)["Pending"] == 0, what="all pods to start")
    finished = {"Succeeded": _JOBS - len(bad), "Failed": len(bad)}
    wait_for(lambda: phases(cluster, namespace) == finished, what=f"{finished}")
    where = Counter(
        pod.spec.node_name.split("-")[1] for pod in cluster.core.list_namespaced_pod(namespace).items
    )
    assert where == {"fargate": _JOBS / 2, "spot": _JOBS / 2}
    wait_for(
        lambda: (
            sum(
                (each.status.succeeded or 0) + (each.status.failed or 0)
                for each in cluster.batch.list_namespaced_job(namespace).items
            )
            == _JOBS
        ),
        what="every Job to be counted once",
    )


def test_an_api_server_that_was_killed_comes_back_with_everything_and_pods_go_on(
    plane: ControlPlane, nodes: SimulatedNodes, namespace: str
) -> None:
    cluster = plane.cluster
    create(cluster, namespace, [on(Kind.SPOT, f"job-{n}", fate(Fate.SUCCEED, after=4)) for n in range(20)])
    wait_for(lambda: phases(cluster, namespace)["Running"] == 20, what="pods to run")
    port = plane.port
    # Once in all these tests: the controllers' patience grows with each time.
    plane.restart_api_server(down_seconds=1)
    assert plane.port == port
    assert cluster.core.read_namespace(namespace).metadata.name == namespace
    wait_for(lambda: phases(cluster, namespace) == {"Succeeded": 20}, what="all pods to end", seconds=120)


def test_nodes_pass_for_what_they_play(cluster: Cluster, nodes: SimulatedNodes) -> None:
    found = {
        node.metadata.name: node
        for node in cluster.core.list_node().items
        if node.metadata.name in nodes.names
    }
    fargate, spot = found[nodes.of(Kind.FARGATE)[0]], found[nodes.of(Kind.SPOT)[0]]
    assert fargate.metadata.labels[COMPUTE_TYPE] == "fargate"
    assert [(taint.key, taint.value, taint.effect) for taint in fargate.spec.taints] == [
        (COMPUTE_TYPE, "fargate", "NoSchedule")
    ]
    assert spot.metadata.labels[CAPACITY_TYPE] == "spot"
    zones = {node.metadata.labels["topology.kubernetes.io/zone"] for node in found.values()}
    assert zones == {"us-east-1a", "us-east-1b", "us-east-1c"}


def test_a_running_pod_meets_a_fate_when_it_is_told(
    working_cluster: Cluster, nodes: SimulatedNodes, namespace: str
) -> None:
    cluster = working_cluster
    with pod_history(cluster, namespace) as history:
        create(cluster, namespace, [on(Kind.FARGATE, "undecided")])
        wait_for(lambda: history.phases("undecided")[-1:] == ["Running"], what="the pod to run")
        nodes.befall(namespace, [history.last("undecided")["metadata"]["name"]], Fate.OOM)
        wait_for(lambda: history.phases("undecided")[-1:] == ["Failed"], what="the pod to fail")
        ended = history.last("undecided")["status"]["containerStatuses"][0]["state"]["terminated"]
        assert ended["reason"] == "OOMKilled"


def test_a_kind_without_capacity_leaves_pods_pending_until_there_is_some(
    working_cluster: Cluster, nodes: SimulatedNodes, namespace: str
) -> None:
    cluster = working_cluster
    with pod_history(cluster, namespace) as history:
        with nodes.closed(Kind.SPOT):
            create(cluster, namespace, [on(Kind.SPOT, "waiting", fate(Fate.SUCCEED))])
            wait_for(
                lambda: "Unschedulable" in str(history.last("waiting").get("status")),
                what="the pod to be unschedulable",
            )
        wait_for(lambda: "Succeeded" in history.phases("waiting"), what="the pod to be run after all")


def test_a_pod_starts_and_ends_when_its_annotations_say(
    working_cluster: Cluster, nodes: SimulatedNodes, namespace: str
) -> None:
    cluster = working_cluster
    with pod_history(cluster, namespace) as history:
        create(cluster, namespace, [on(Kind.FARGATE, "slow", fate(Fate.SUCCEED, start=1.5, after=3))])
        wait_for(lambda: "Succeeded" in history.phases("slow"), what="the pod to end")
        pod = history.last("slow")
        ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        scheduled = next(each for each in pod["status"]["conditions"] if each["type"] == "PodScheduled")
        assert seconds_between(scheduled["lastTransitionTime"], ended["startedAt"]) >= 1
        assert seconds_between(ended["startedAt"], ended["finishedAt"]) >= 2


def seconds_between(first: str, second: str) -> int:
    """Whole seconds."""
    return int((datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds())
