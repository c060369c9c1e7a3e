"""A run on Kubernetes from its suite to its verdict: the embedded cloud's launcher and observer, and a real API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crosswind.adapters.kubernetes.operating import OperatedCluster
from crosswind.local import emulator
from crosswind.runs.clusters.bundle.options import LAUNCHER, OBSERVER, BundleOptions
from crosswind.runs.clusters.bundle.render import objects_of
from crosswind.runs.clusters.reading import parse_cluster
from crosswind.runs.pods.jobs import TTL_SECONDS
from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.plane import ControlPlane
from tests.cluster.played import PlayedPods
from tests.cluster.simulated import Kind, SimulatedNodes
from tests.e2e.conftest import Cloud
from tests.e2e.runs import Api, command_job, pack, suite

pytestmark = pytest.mark.xdist_group("cluster")

NAMESPACE = "crosswind-demo"
REPORT = '<testsuite><testcase name="{name}"/></testsuite>'


@pytest.fixture(scope="module")
def kube(
    cloud: Cloud,
    own_plane: ControlPlane,
    working_cluster: Cluster,
    kwok: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[PlayedPods]:
    """A cluster that the embedded cloud knows as `kube`, prepared for team demo, whose pods are played here."""
    folder = tmp_path_factory.mktemp("kube")
    launcher = own_plane.kubeconfig("cloud", [LAUNCHER, OBSERVER])
    added = cloud.crosswind(
        *("clusters", "add", "kube", "--kubeconfig", str(launcher), "--json"),
        CROSSWIND_TOKEN=cloud.token("admin"),
    )
    assert added.returncode == 0, added.stderr
    known = cloud.crosswind("clusters", "get", "kube", CROSSWIND_TOKEN=cloud.token("admin"))
    options = BundleOptions(cluster=parse_cluster(known.stdout), teams=("demo",))
    objects = [each for part in objects_of(options).values() for each in part]
    with OperatedCluster.opened(working_cluster.admin, None) as operated:
        done = operated.apply(objects, dry_run=False, force=False)
        assert not [each for each in done if each.error], done
    nodes = SimulatedNodes(kwok, working_cluster, folder, group="kube", tainted=False)
    nodes.start({Kind.ON_DEMAND: 3})
    aws = dict(emulator.client_environment(cloud.home, cloud.state))
    try:
        with PlayedPods(working_cluster, nodes, NAMESPACE, aws).playing() as played:
            yield played
    finally:
        nodes.stop()
        working_cluster.core.delete_namespace(NAMESPACE, propagation_policy="Background")


def test_shards_run_in_pods_and_one_whose_pod_is_killed_runs_again(
    api: Api,
    cloud: Cloud,
    kube: PlayedPods,
) -> None:
    slow = command_job(f"touch begun; sleep 5; echo '{REPORT.format(name='slow')}' > report.xml", name="slow")
    quick = command_job(
        f"test -z \"$AWS_SECRET_ACCESS_KEY$CROSSWIND_RUNS_TABLE\" && echo '{REPORT.format(name='quick')}' > report.xml",
        name="quick",
    )
    run = api.submit(suite([slow, quick], name="pods", cluster="kube"), files={"note": "x"})

    def pod_of_slow() -> str:
        listed = api.http.get(f"/api/v1/tests/{run}/pods").json()["items"]
        begun = {containers.folder: name for name, containers in kube.started.items()}
        for folder, name in begun.items():
            if list(folder.glob("w/attempts/*/work/begun")) and listed:
                return name
        return ""

    kube.kill(wait_for(pod_of_slow, what="the slow shard to begin", seconds=180))
    cloud.look_after_pods()
    view = api.finished(run)

    assert view["verdict"]["kind"] == "passed", view["verdict"]
    pods = api.http.get(f"/api/v1/tests/{run}/pods").json()["items"]
    assert {pod["cluster"] for pod in pods} == {"kube"}
    assert all(pod["placement"].startswith("The cluster's nodes: ") for pod in pods)
    evicted = [pod for pod in pods if pod.get("reason") == "evicted"]
    assert len(evicted) == 1
    assert evicted[0]["attempt"] == 1
    why = api.http.get(f"/api/v1/tests/{run}/why").json()
    assert why["madeGood"] == 1

    def ended() -> bool:  # what is left goes by itself in a minute
        jobs = kube.cluster.batch.list_namespaced_job(NAMESPACE).items
        assert {job.spec.ttl_seconds_after_finished for job in jobs} <= {TTL_SECONDS}
        return all(
            {each.type for each in job.status.conditions or ()} & {"Complete", "Failed"} for job in jobs
        )

    wait_for(ended, what="every Job to end")


def test_what_the_cluster_refuses_ends_the_run_with_the_reason(api: Api, kube: PlayedPods) -> None:
    source = {"archive": {"digest": api.upload(pack({"note": "x"}))}}
    job = command_job("true", name="elsewhere", source=source)
    answer = api.http.post("/api/v1/tests", json={"spec": suite([job], name="pods", cluster="nowhere")})
    assert answer.status_code == 422
    assert "spec.cluster" in answer.text
