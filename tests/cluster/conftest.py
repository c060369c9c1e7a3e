"""One cluster for all tests of this folder: they carry one xdist group, so that one worker starts it once.

Where there is nothing to build it from, the tests skip with what is missing.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosswind.local.home import LocalError
from tests.cluster.clusters import Cluster, given_kubeconfig
from tests.cluster.manifests import RESTRICTED
from tests.cluster.plane import ControlPlane, PlaneOptions
from tests.cluster.real import RealNode
from tests.cluster.runtime import ensure_runtime, write_images
from tests.cluster.scene import Scene, stage_of
from tests.cluster.simulated import Kind, SimulatedNodes
from tests.cluster.toolbox import Tools, ensure_kubernetes, ensure_kwok, ensure_probe
from tests.e2e.conftest import api, cloud

__all__ = ["api", "cloud"]  # one embedded cloud for all tests of this folder

# Lost nodes are noticed sooner than elsewhere, so that tests need not wait a minute for it.
_OPTIONS = PlaneOptions(node_grace_seconds=30, toleration_seconds=4)


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The programs of a control plane."""
    if given_kubeconfig() is not None:
        pytest.skip(
            "CROSSWIND_TEST_KUBECONFIG names a cluster: none of our own is started, to break or to lose nodes of"
        )
    try:
        return ensure_kubernetes(print)
    except LocalError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def own_plane(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that tests may break."""
    made = ControlPlane(tools, tmp_path_factory.mktemp("plane"), _OPTIONS)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def plane(own_plane: ControlPlane) -> ControlPlane:
    """The control plane, where it is our own to break."""
    return own_plane


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster: a given one, or that of a control plane of our own."""
    given = given_kubeconfig()
    if given is None:
        plane: ControlPlane = request.getfixturevalue("own_plane")
        yield plane.cluster
        return
    if not given.exists():
        pytest.fail(f"CROSSWIND_TEST_KUBECONFIG names {given}, which does not exist")
    kubectl = shutil.which("kubectl")
    folder = tmp_path_factory.mktemp("given")
    made = Cluster(admin=given, folder=folder, kubectl_path=Path(kubectl) if kubectl else None)
    yield made
    made.close()


@pytest.fixture(scope="session")
def working_cluster(cluster: Cluster) -> Cluster:
    """A cluster whose Jobs make pods."""
    if not cluster.has_controllers:
        pytest.skip("KUBEBUILDER_ASSETS has no kube-controller-manager and kube-scheduler: Jobs make no pods")
    return cluster


@pytest.fixture(scope="session")
def kwok() -> Path:
    """The program that plays nodes."""
    try:
        return ensure_kwok(print)
    except LocalError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def nodes(
    working_cluster: Cluster, kwok: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimulatedNodes]:
    """Ten Fargate nodes and ten spot nodes that are not there."""
    made = SimulatedNodes(kwok, working_cluster, tmp_path_factory.mktemp("kwok"))
    made.start({Kind.FARGATE: 10, Kind.SPOT: 10})
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def scene(
    own_plane: ControlPlane, working_cluster: Cluster, kwok: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Everything that can become of a pod, at once; nodes are lost, so it needs a control plane of our own."""
    with stage_of(working_cluster, kwok, tmp_path_factory.mktemp("scene")) as played:
        yield played


@pytest.fixture(scope="session")
def real_node(own_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealNode]:
    """A node that runs containers."""
    if not own_plane.tools.has("kubelet", "kube-controller-manager", "kube-scheduler"):
        pytest.skip("KUBEBUILDER_ASSETS has no kubelet, kube-controller-manager and kube-scheduler")
    try:
        runtime = ensure_runtime(print)
        images = write_images(ensure_probe(print), tmp_path_factory.mktemp("images"))
    except LocalError as missing:
        pytest.skip(str(missing))
    with RealNode(own_plane, runtime, images).running() as node:
        yield node


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of one's own, under Pod Security `restricted`."""
    with cluster.namespace("test", RESTRICTED) as made:
        yield made
