"""Values that the tests of work in pods share."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crosswind.contracts.clusters import (
    CapacityKind,
    CapacityOffer,
    ClusterSpec,
    ImagesSpec,
    RunnerSpec,
    ServerConnection,
    Toleration,
)
from crosswind.contracts.work import ArchiveRef, MonitorOrder, PrepareOrder, ShardOrder
from crosswind.runs.model import Lease, Work, WorkState
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.jobs import Launch
from crosswind.runs.pods.model import Condition, ContainerFacts, JobFacts, PodFacts, PodRecord
from crosswind.runs.pods.naming import Carrier, carrier_of
from crosswind.runs.pods.placing import Placement
from crosswind.runs.pods.sizes import sizes_of
from tests.fakes import START, make_work

FARGATE = CapacityOffer(
    kind=CapacityKind.FARGATE, labels={"crosswind.dev/compute": "fargate"}, max_cpu_millis=16_000
)
SPOT = CapacityOffer(
    kind=CapacityKind.SPOT,
    node_selector={"karpenter.sh/capacity-type": "spot"},
    tolerations=(Toleration(key="crosswind.dev/spot", operator="Exists", effect="NoSchedule"),),
)
ON_DEMAND = CapacityOffer(
    kind=CapacityKind.ON_DEMAND, node_selector={"karpenter.sh/capacity-type": "on-demand"}
)
SERVER = ServerConnection(endpoint="https://cluster.example", secret="main")  # the name of one
IMAGES = ImagesSpec(registry="registry.example/team", tag="1.4.0")


def make_cluster(*offers: CapacityOffer, **changes: Any) -> ClusterSpec:
    values: dict[str, Any] = {
        "connection": SERVER,
        "capacity": offers or (FARGATE,),
        "images": IMAGES,
        "runner": RunnerSpec(),
    }
    return ClusterSpec(**(values | changes))


def admitted(number: int = 0, **changes: Any) -> Work:
    values: dict[str, Any] = {
        "state": WorkState.ADMITTED,
        "admitted_at": START,
        "cluster": "main",
        "interruptible": True,
    }
    return make_work(number, **(values | changes))


def leased(work: Work, *, number: int = 0) -> Work:
    runner = carrier_of(work, number=number).runner_id
    lease = Lease(runner_id=runner, started_at=START, expires_at=START + timedelta(seconds=30))
    return replace(work, state=WorkState.LEASED, epoch=work.epoch + 1, lease=lease)


def shard_order(**changes: Any) -> ShardOrder:
    values: dict[str, Any] = {
        "team": "demo",
        "test": "api",
        "variant": "",
        "archive": ArchiveRef(key="sources/demo/a.tar.gz", digest="sha256:" + "0" * 64, size=10),
        "framework": "pytest",
        "args": (),
        "env": {},
        "shard_index": 0,
        "shard_count": 2,
        "test_retries": 1,
        "timeout_seconds": 600,
        "reports": (),
        "artifacts": (),
    }
    return ShardOrder(**(values | changes))


def make_launch(
    order: PrepareOrder | ShardOrder | MonitorOrder | None = None,
    *,
    work: Work | None = None,
    cluster: ClusterSpec | None = None,
    offer: CapacityOffer | None = None,
) -> Launch:
    work = work or admitted()
    order = order or shard_order()
    spec = cluster or make_cluster()
    chosen = offer or spec.capacity[0]
    services = order.services if isinstance(order, ShardOrder) else ()
    return Launch(
        work=work,
        order=order,
        carrier=carrier_of(work),
        cluster=spec,
        placement=Placement(chosen, "Fargate: the cluster offers nothing else."),
        sizes=sizes_of(Size(work.cpu_millis, work.memory_mib), services, chosen.kind),
        stage="prod",
        environment={"CROSSWIND_STAGE": "prod", "CROSSWIND_RUNS_TABLE": "crosswind-prod-runs"},
    )


def make_record(work: Work, **changes: Any) -> PodRecord:
    values: dict[str, Any] = {
        "carrier": carrier_of(work),
        "team": work.team,
        "cluster": "main",
        "namespace": "crosswind-demo",
        "image": "registry.example/team/crosswind/pytest:1.4.0",
        "capacity": CapacityKind.FARGATE,
        "placement": "Fargate: the cluster offers nothing else.",
        "asked": Size(1000, 2304),
        "launched_at": START,
    }
    return PodRecord(**(values | changes))


def make_job(carrier: Carrier | None, *pods: PodFacts, at: datetime = START, **changes: Any) -> JobFacts:
    values: dict[str, Any] = {
        "name": carrier.job if carrier else "stranger",
        "namespace": "crosswind-demo",
        "carrier": carrier,
        "created_at": at,
        "pods": pods,
    }
    return JobFacts(**(values | changes))


def make_pod(phase: str, *, containers: Sequence[ContainerFacts] = (), **changes: Any) -> PodFacts:
    values: dict[str, Any] = {
        "name": "pod",
        "job": "job",
        "phase": phase,
        "created_at": START,
        "containers": tuple(containers),
    }
    return PodFacts(**(values | changes))


def running_pod(**changes: Any) -> PodFacts:
    agent = ContainerFacts(name="agent", began_at=START + timedelta(seconds=20))
    return make_pod("Running", containers=(agent,), **changes)


def disrupted(reason: str, message: str = "it was disrupted") -> Condition:
    return Condition(type="DisruptionTarget", status=True, reason=reason, message=message, at=START)
