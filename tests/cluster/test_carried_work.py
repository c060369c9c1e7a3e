"""Launcher and observer on a real API server: the Jobs that they make run under `restricted`, and what becomes of them is told rightly."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from kubernetes.client.exceptions import ApiException

from crosswind.adapters.kubernetes.calls import ApiServer, ClientCertificate
from crosswind.adapters.kubernetes.jobs import KubernetesJobs
from crosswind.adapters.kubernetes.kubeconfig import read_kubeconfig
from crosswind.adapters.kubernetes.operating import OperatedCluster
from crosswind.contracts.clusters import CapacityKind, CapacityOffer, ClusterSpec, Toleration
from crosswind.runs.clusters.bundle.options import LAUNCHER, OBSERVER, BundleOptions
from crosswind.runs.clusters.bundle.render import objects_of
from crosswind.runs.clusters.reading import parse_cluster
from crosswind.runs.infrastructure import InfrastructureReason as Reason
from crosswind.runs.model import WorkState
from crosswind.runs.pods.jobs import Launch, job_of
from crosswind.runs.pods.model import JobFacts
from crosswind.runs.pods.naming import carrier_of, namespace_of
from crosswind.runs.pods.ports import ClusterError, ConnectedCluster
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.launching import LaunchPod, LaunchWork
from crosswind.runs.usecases.observing_pods import ObserveJobs
from tests.cluster.clusters import Cluster, wait_for
from tests.cluster.plane import ControlPlane
from tests.cluster.simulated import Kind, SimulatedNodes, selector
from tests.cluster.stages import Fate
from tests.fakes import MemoryObjectStore, MemoryQueues, MemoryTaskTokens, MemoryWorkStore
from tests.fakes.pods import MemoryClusters, MemoryPodStore
from tests.unit.runs.pods.samples import SERVER, admitted, make_launch, shard_order
from tests.unit.runs.pods.test_jobs import launches

pytestmark = pytest.mark.xdist_group("cluster")

TEAM = "demo"
PREFIX = "cwl-"
STAGE = "cluster-test"
OURS = {"carried": "true"}
FARGATE = CapacityOffer(
    kind=CapacityKind.FARGATE,
    node_selector=selector(Kind.FARGATE) | OURS,
    tolerations=(Toleration(key="eks.amazonaws.com/compute-type"),),
)
SPOT = CapacityOffer(kind=CapacityKind.SPOT, node_selector=selector(Kind.SPOT) | OURS)
NOWHERE = CapacityOffer(kind=CapacityKind.ON_DEMAND, node_selector={"topology.kubernetes.io/zone": "nowhere"})
_DOCUMENT = f"""
apiVersion: crosswind.dev/v1
kind: Cluster
metadata: {{name: main}}
spec:
  connection: {{kind: server, endpoint: "https://127.0.0.1", secret: main}}
  namespacePrefix: {PREFIX}
"""


class WallClock:
    """The time, and later on request."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def jobs_as(kubeconfig: Path) -> KubernetesJobs:
    """The adapter, signed in as whoever the kubeconfig is for."""
    read = read_kubeconfig(kubeconfig)
    certificate = ClientCertificate(read.credentials["clientCertificate"], read.credentials["clientKey"])
    server = ApiServer(
        read.endpoint,
        certificate_authority=read.certificate_authority,
        client_certificate=certificate,
        tries=3,
    )
    return KubernetesJobs(server)


class World:
    """One cluster that launcher and observer share with nobody."""

    def __init__(self, api: KubernetesJobs, *offers: CapacityOffer, prefix: str = PREFIX) -> None:
        self.works, self.pods, self.queues = MemoryWorkStore(), MemoryPodStore(), MemoryQueues()
        self.clock = WallClock()
        self.spec = ClusterSpec(connection=SERVER, capacity=offers, namespace_prefix=prefix, spot_percent=100)
        self.api = api
        clusters = MemoryClusters({"main": ConnectedCluster("main", self.spec, api)})
        self.cluster = clusters.connect("main")
        artifacts = MemoryObjectStore()
        order = shard_order().to_wire().encode()
        artifacts.put("orders", order, content_type="application/x-ndjson")
        self.reference = admitted().order.model_copy(
            update={"key": "orders", "offset": 0, "length": len(order)}
        )
        change = ChangeWork(self.works, PerformEffects(self.queues, MemoryTaskTokens()), pause=lambda _: None)
        launch = LaunchPod(self.pods, artifacts, self.clock, STAGE, {"CROSSWIND_STAGE": STAGE})
        self.launch = LaunchWork(self.works, self.pods, clusters, launch, change, self.queues, self.clock)
        self.observe = ObserveJobs(self.works, self.pods, launch, change, self.clock)

    def admit(self, number: int, **changes: Any) -> None:
        work = admitted(number, order=self.reference, version=0, team=TEAM, cpu_millis=500, **changes)
        self.works.save(None, work)
        message = {"run_id": work.key.run_id, "work_id": work.key.work_id, "attempt": 1, "cluster": "main"}
        from crosswind.contracts.work import DispatchMessage  # noqa: PLC0415

        assert self.launch([DispatchMessage(**message)]) == []

    def facts(self, number: int) -> JobFacts | None:
        name = carrier_of(admitted(number)).job
        return next((job for job in self.api.jobs(STAGE) if job.name == name), None)

    def look(self) -> None:
        self.observe(self.cluster, self.api.jobs(STAGE))

    def reason(self, number: int) -> str | None:
        """Why the first attempt was lost."""
        work = self.works.get(admitted(number).key)
        assert work is not None
        return work.failures[0].reason if work.failures else None


@pytest.fixture(scope="module")
def prepared(working_cluster: Cluster) -> Iterator[str]:
    """A team's namespace, as `crosswind clusters apply` makes it."""
    options = BundleOptions(cluster=parse_cluster(_DOCUMENT), teams=(TEAM,))
    objects = [each for part in objects_of(options).values() for each in part]
    with OperatedCluster.opened(working_cluster.admin, None) as operated:
        done = operated.apply(objects, dry_run=False, force=False)
        assert not [each for each in done if each.error], done
    yield namespace_of(PREFIX, TEAM)
    working_cluster.core.delete_namespace(namespace_of(PREFIX, TEAM), propagation_policy="Background")


@pytest.fixture(scope="module")
def machines(
    working_cluster: Cluster, kwok: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimulatedNodes]:
    """Nodes of these tests alone: some are lost."""
    made = SimulatedNodes(kwok, working_cluster, tmp_path_factory.mktemp("carried"), group="carried")
    made.start({Kind.FARGATE: 3, Kind.SPOT: 6})
    for name in made.names:
        working_cluster.core.patch_node(name, {"metadata": {"labels": OURS}})
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def api(own_plane: ControlPlane, prepared: str, machines: SimulatedNodes) -> KubernetesJobs:
    """The launcher's own rights, and no more."""
    return jobs_as(own_plane.kubeconfig("launcher", [LAUNCHER, OBSERVER]))


@pytest.fixture
def clean(working_cluster: Cluster, prepared: str) -> Iterator[None]:
    """Leaves no Job behind."""
    yield
    working_cluster.batch.delete_collection_namespaced_job(prepared, propagation_policy="Background")


def pod_of(cluster: Cluster, namespace: str, number: int) -> str:
    label = f"batch.kubernetes.io/job-name={carrier_of(admitted(number)).job}"
    found = wait_for(
        lambda: [
            pod
            for pod in cluster.core.list_namespaced_pod(namespace, label_selector=label).items
            if pod.status.phase == "Running"
        ],
        what=f"the pod of shard {number} to run",
    )
    return str(found[0].metadata.name)


@pytest.mark.usefixtures("clean")
def test_each_way_to_die_is_told_with_its_reason_and_once(
    api: KubernetesJobs, working_cluster: Cluster, machines: SimulatedNodes, prepared: str
) -> None:
    world = World(api, SPOT, FARGATE)
    fates: dict[int, tuple[Fate, dict[str, Any], Reason]] = {
        0: (Fate.EVICT, {}, Reason.EVICTED),
        1: (Fate.OOM, {"container": "agent"}, Reason.OOM_RUNNER),
        2: (Fate.FAIL, {"exit_code": 2, "container": "agent"}, Reason.RUNNER_ERROR),
        3: (Fate.SUCCEED, {}, Reason.RUNNER_ERROR),  # without having taken its work
    }
    for number in fates:
        world.admit(number)
    world.admit(4)  # on a machine that is reclaimed
    world.admit(5)  # deleted by somebody
    names = {number: pod_of(working_cluster, prepared, number) for number in range(6)}
    for number, (which, details, _) in fates.items():
        machines.befall(prepared, [names[number]], which, **details)
    reclaimed = working_cluster.core.read_namespaced_pod(names[4], prepared).spec.node_name
    machines.interrupt(reclaimed)
    working_cluster.core.delete_namespaced_pod(names[5], prepared)

    world.clock.ahead = timedelta(seconds=15)
    expected = {number: reason.value for number, (_, _, reason) in fates.items()} | {4: Reason.SPOT.value}

    def told() -> bool:
        world.look()
        return all(world.reason(number) for number in range(6))

    wait_for(told, what="all losses to be told")
    world.look()
    for number, reason in expected.items():
        assert world.reason(number) == reason, number
    assert world.reason(5) in {Reason.POD_GONE.value, Reason.EVICTED.value, Reason.RUNNER_ERROR.value}
    assert all(len(work.failures) == 1 for work in world.works.items.values())


@pytest.mark.usefixtures("clean")
def test_a_pod_without_a_machine_is_made_again_then_elsewhere_and_nothing_is_left_of_it(
    api: KubernetesJobs,
) -> None:
    world = World(api, NOWHERE, FARGATE)
    world.admit(0, interruptible=False)
    wait_for(lambda: (facts := world.facts(0)) and facts.pods, what="a pod")

    world.clock.ahead = timedelta(minutes=5)
    world.look()
    work = world.works.get(admitted(0).key)
    assert work is not None
    (record,) = world.pods.of_run(work.key.run_id)
    assert (record.carrier.number, record.capacity) == (1, CapacityKind.ON_DEMAND)
    wait_for(
        lambda: [job for job in api.jobs(STAGE) if job.pods and job.deleted_at is None], what="its second pod"
    )

    world.clock.ahead = timedelta(minutes=12)
    world.look()
    (record,) = world.pods.of_run(work.key.run_id)
    assert (record.carrier.number, record.capacity) == (2, CapacityKind.FARGATE)
    assert "did not start its pod in time" in record.placement

    world.works.save(work, world_done(work))
    world.look()
    wait_for(lambda: not list(api.jobs(STAGE)), what="every Job to be gone")


def world_done(work: Any) -> Any:
    """The work as a cancel ends it."""
    from crosswind.runs import protocol  # noqa: PLC0415

    ended = protocol.cancel(work, reason="somebody asked", now=datetime.now(UTC))
    assert ended is not None
    assert ended.work.state is WorkState.DONE
    return ended.work


@pytest.mark.usefixtures("clean")
def test_what_the_launcher_may_not_do_is_refused_with_the_servers_words(
    own_plane: ControlPlane, prepared: str
) -> None:
    stranger = jobs_as(own_plane.kubeconfig("stranger"))

    with pytest.raises(ClusterError, match="forbidden") as refused:
        stranger.create(job_of(launch_in(TEAM)))

    assert refused.value.reason is Reason.CLUSTER_REFUSED
    assert not refused.value.passing


def test_a_namespace_that_was_not_prepared_is_told_and_not_tried_for_ever(api: KubernetesJobs) -> None:
    with pytest.raises(ClusterError) as refused:
        api.create(job_of(launch_in("nobody")))

    assert not refused.value.passing


def launch_in(team: str) -> Launch:
    return make_launch(
        work=admitted(team=team),
        cluster=ClusterSpec(connection=SERVER, capacity=(FARGATE,), namespace_prefix=PREFIX),
    )


def test_no_suite_makes_a_pod_that_the_real_restricted_refuses(
    working_cluster: Cluster, prepared: str
) -> None:
    refused: list[str] = []

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(launches())
    def each(launch: Launch) -> None:
        template = job_of(launch)["spec"]["template"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "dry-", "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        }
        try:
            working_cluster.core.create_namespaced_pod(prepared, pod, dry_run="All")
        except ApiException as error:
            message = json.loads(error.body or "{}").get("message", "")
            if "quota" not in message:
                refused.append(message)

    each()
    assert refused == []
