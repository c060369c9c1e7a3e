"""Where a storm of pods takes place: a real control plane, simulated nodes, an embedded cloud, and played agents."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from crosswind.adapters.aws.dynamo import Dynamo
from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.adapters.kubernetes.operating import OperatedCluster
from crosswind.local import emulator, processes
from crosswind.runs.admission.ports import ExecutorCapacity
from crosswind.runs.clusters.bundle.options import LAUNCHER, OBSERVER, BundleOptions
from crosswind.runs.clusters.bundle.render import objects_of
from crosswind.runs.clusters.reading import parse_cluster
from tests.cluster.plane import ControlPlane
from tests.cluster.simulated import Kind, SimulatedNodes, selector
from tests.cluster.toolbox import ensure_kubernetes, ensure_kwok
from tests.e2e.conftest import Cloud
from tests.podstorm.controlling import RunningController
from tests.podstorm.front import Front
from tests.storm.run import own_cloud

CLUSTER, TEAM, NAMESPACE = "kube", "demo", "crosswind-demo"
LAUNCHES_PER_SECOND = 20.0
PENDING_SECONDS = 30
NODES = {Kind.SPOT: 14, Kind.FARGATE: 20, Kind.ON_DEMAND: 6}
_ROOT = Path(__file__).parents[2]
_MIB = 1024 * 1024
_LOOKS_A_MINUTE = 20


@dataclass
class World:
    """All of it, running."""

    cloud: Cloud
    plane: ControlPlane
    nodes: SimulatedNodes
    fronts: tuple[Front, ...]
    """Before the API server: one for launcher and observer, one for the controller."""
    controller: RunningController
    folder: Path

    @property
    def calls(self) -> Counter[str]:
        """Of all of them to the API server, so far."""
        return sum((front.calls for front in self.fronts), Counter[str]())

    @contextmanager
    def agents(self, parts: int, seconds: float) -> Iterator[Path]:
        """The played agents, as processes; their journals' folder."""
        folder = self.folder / f"agents-{len(list(self.folder.glob('agents-*')))}"
        folder.mkdir()
        environ = os.environ | emulator.client_environment(self.cloud.home, self.cloud.state)
        command = [sys.executable, "-m", "tests.podstorm.agents", str(self.plane.cluster.admin), str(folder)]
        environ |= {"CROSSWIND_WORK_FOLDER": str(folder)}
        with ExitStack() as stack:
            for part in range(parts):
                log = stack.enter_context((folder / f"agents-{part}.log").open("ab"))
                process = subprocess.Popen(
                    [*command, str(part), str(parts), str(seconds)],
                    env=environ, cwd=_ROOT, stdout=log, stderr=log,
                )  # fmt: skip
                stack.callback(process.wait)
                stack.callback(process.kill)
            yield folder


@dataclass
class Memory:
    """The most memory that launcher and observer were seen to hold, in MiB."""

    cloud: Cloud
    most: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        """Once."""
        host = processes.find(self.cloud.state.processes[emulator.NAME])
        for child in host.children(recursive=True) if host else ():
            with suppress(psutil.Error):
                function = child.environ().get("AWS_LAMBDA_FUNCTION_NAME", "")
                for name in ("LaunchWork", "ObservePods"):
                    if name in function:
                        mib = child.memory_info().rss / _MIB
                        self.most[name] = max(self.most.get(name, 0.0), mib)


@contextmanager
def every_minute(world: World) -> Iterator[Memory]:
    """Call the observer as its rule does; a call that is killed is not repeated. Looks at its memory meanwhile."""
    over, memory = threading.Event(), Memory(world.cloud)

    def call() -> None:
        with suppress(Exception):  # it was killed: the next minute comes
            world.cloud.look_after_pods()

    def call_each_minute() -> None:
        while not over.is_set():
            threading.Thread(target=call, daemon=True).start()
            for _ in range(_LOOKS_A_MINUTE):
                if over.wait(60 / _LOOKS_A_MINUTE):
                    return
                memory.look()

    thread = threading.Thread(target=call_each_minute, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


@contextmanager
def world(folder: Path, *, slots: int) -> Iterator[World]:
    """Everything, made and removed. Raises LocalError where there is nothing to build a cluster from."""
    tools, kwok = ensure_kubernetes(print), ensure_kwok(print)
    plane = ControlPlane(tools, folder / "plane")
    with ExitStack() as stack:
        cluster = plane.start()
        stack.callback(plane.stop)
        nodes = SimulatedNodes(kwok, cluster, folder / "kwok", tainted=False)
        stack.callback(nodes.stop)
        nodes.start(NODES)
        identity = plane.authority.client("cloud", [LAUNCHER, OBSERVER])
        front = Front(plane.endpoint, plane.authority, identity, folder / "front")
        endpoint = stack.enter_context(front.open())
        watching = Front(
            plane.endpoint,
            plane.authority,
            plane.authority.client("admin", ["system:masters"]),
            folder / "watching",
        )
        watched = stack.enter_context(watching.open())
        cloud = stack.enter_context(own_cloud(folder))
        environ = json.loads(cloud.state.outputs["RunnerEnvironment"])
        store = DynamoQueueStore(
            dynamo=Dynamo(cloud.client("dynamodb")), table=environ["CROSSWIND_QUEUE_TABLE"]
        )
        store.register_capacity(
            ExecutorCapacity(slots=slots, launches_per_second=LAUNCHES_PER_SECOND, launch_burst=20)
        )
        _make_known(cloud, endpoint.kubeconfig(folder / "front.kubeconfig", identity=identity), folder)
        known = cloud.crosswind("clusters", "get", CLUSTER, CROSSWIND_TOKEN=cloud.token("admin"))
        options = BundleOptions(cluster=parse_cluster(known.stdout), teams=(TEAM,))
        objects = [each for part in objects_of(options).values() for each in part]
        with OperatedCluster.opened(cluster.admin, None) as operated:
            failed = [
                each.error for each in operated.apply(objects, dry_run=False, force=False) if each.error
            ]
            assert not failed, failed
        cluster.wait_for_default_account(NAMESPACE)
        kubeconfig = watched.kubeconfig(folder / "controller.kubeconfig", identity=watching.identity)
        controller = RunningController(cloud, CLUSTER, kubeconfig, folder)
        stack.callback(controller.stop)
        yield World(cloud, plane, nodes, (front, watching), controller, folder)


def _make_known(cloud: Cloud, kubeconfig: Path, folder: Path) -> None:
    """By the kubeconfig, as a user would; then its document with more pods and less patience."""
    token = cloud.token("admin")
    capacity = [word for kind in ("spot", "fargate", "onDemand") for word in ("--capacity", kind)]
    added = cloud.crosswind(
        *("clusters", "add", CLUSTER, "--kubeconfig", str(kubeconfig), *capacity), CROSSWIND_TOKEN=token
    )
    assert added.returncode == 0, added.stderr
    document = yaml.safe_load(cloud.crosswind("clusters", "get", CLUSTER, CROSSWIND_TOKEN=token).stdout)
    document["spec"] |= {
        "pending": f"{PENDING_SECONDS}s",
        "limits": {"teamPods": 5000, "teamCpu": 20_000, "teamMemoryGib": 80_000},
    }
    for offer, kind in zip(document["spec"]["capacity"], NODES, strict=True):
        offer["nodeSelector"] = selector(kind)
        offer["tolerations"] = []
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    changed = cloud.crosswind("clusters", "add", CLUSTER, "-f", str(path), CROSSWIND_TOKEN=token)
    assert changed.returncode == 0, changed.stderr
