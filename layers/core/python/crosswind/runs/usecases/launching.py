"""Turning admitted work into Jobs. What is delivered twice, or to two launchers at once, is the same Job."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.pods import PodState
from crosswind.contracts.services import ServiceSpec
from crosswind.contracts.suites import duration_seconds
from crosswind.contracts.work import DispatchMessage, MonitorOrder, Order, PrepareOrder, ShardOrder
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError, NotFoundError
from crosswind.runs import protocol
from crosswind.runs.effects import Transition
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Work, WorkKey, WorkState
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.images import tests_image
from crosswind.runs.pods.jobs import Launch, job_of
from crosswind.runs.pods.model import PodRecord
from crosswind.runs.pods.naming import Carrier, carrier_of, namespace_of
from crosswind.runs.pods.placing import Placement, place
from crosswind.runs.pods.ports import ClusterError, Clusters, ConnectedCluster, PodStore
from crosswind.runs.pods.sizes import sizes_of
from crosswind.runs.ports import ObjectStore, Queues, WorkStore
from crosswind.runs.usecases.changing import ChangeWork

LATER = timedelta(seconds=15)
SIDE_BY_SIDE = 8
_ORDERS: TypeAdapter[PrepareOrder | ShardOrder | MonitorOrder] = TypeAdapter(Order)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LaunchPod:
    """Create the Job of one try of a piece of work, and keep what was launched where and why."""

    pods: PodStore
    artifacts: ObjectStore
    clock: Clock
    stage: str
    environment: Mapping[str, str]

    def __call__(self, work: Work, cluster: ConnectedCluster, *, known: PodRecord | None) -> PodRecord:
        """The record. `known` is that of an earlier launch, or of a pod that is to be replaced: it says how and where.

        Raises ClusterError; then what is known of the refusal is kept too.
        """
        launch, record = self._prepared(work, cluster, known)
        try:
            cluster.api.create(job_of(launch))
        except ClusterError as refused:
            if known is None or known.state is PodState.REFUSED:
                self.pods.put_new(
                    replace(
                        record,
                        state=PodState.REFUSED,
                        reason=refused.reason.value,
                        detail=str(refused)[:1000],
                    )
                )
            raise
        self.pods.put_new(record)
        return record

    def _prepared(
        self, work: Work, cluster: ConnectedCluster, known: PodRecord | None
    ) -> tuple[Launch, PodRecord]:
        order = self._order(work)
        placement = self._placement(work, order, cluster, known)
        sizes = sizes_of(_asked(work), _services(order), placement.offer.kind)
        carrier = known.carrier if known else carrier_of(work)
        launch = Launch(
            work=work,
            order=order,
            carrier=carrier,
            cluster=cluster.spec,
            placement=placement,
            sizes=sizes,
            stage=self.stage,
            environment=self.environment,
        )
        return launch, PodRecord(
            carrier=carrier,
            team=work.team,
            cluster=cluster.name,
            namespace=namespace_of(cluster.spec.namespace_prefix, work.team),
            image=tests_image(order, cluster.spec.images),
            capacity=placement.offer.kind,
            placement=placement.reason,
            asked=sizes.pod,
            launched_at=self.clock.now(),
            tried=known.tried if known else (),
        )

    def place_elsewhere(
        self, work: Work, cluster: ConnectedCluster, *, tried: Sequence[CapacityKind]
    ) -> Placement | None:
        """Another offer than those that could not start it. Raises ClusterError where its order cannot be read."""
        return place(work, _asked(work), cluster.spec, services=_services(self._order(work)), tried=tried)

    def _placement(
        self,
        work: Work,
        order: PrepareOrder | ShardOrder | MonitorOrder,
        cluster: ConnectedCluster,
        known: PodRecord | None,
    ) -> Placement:
        offered = {offer.kind: offer for offer in cluster.spec.capacity}
        if known is not None and known.capacity in offered:
            return Placement(offered[known.capacity], known.placement)
        asked, services = _asked(work), _services(order)
        chosen = place(work, asked, cluster.spec, services=services)
        if chosen is None:
            beside = f" beside {len(services)} services" if services else ""
            raise ClusterError(
                f"no capacity of cluster {cluster.name} takes a pod of {asked.cpu_millis} m and {asked.memory_mib} MiB{beside}",
                reason=InfrastructureReason.CLUSTER_REFUSED,
                passing=False,
            )
        return chosen

    def _order(self, work: Work) -> PrepareOrder | ShardOrder | MonitorOrder:
        reference = work.order
        try:
            data = self.artifacts.get_range(reference.key, offset=reference.offset, length=reference.length)
            return _ORDERS.validate_json(data)
        except (NotFoundError, ValidationError) as error:
            raise ClusterError(
                f"{reference.key}: {error}", reason=InfrastructureReason.ORDER_UNREADABLE, passing=False
            ) from error


@dataclass(frozen=True)
class LaunchWork:
    """What the launch queue delivers: a Job for each piece of work that is still admitted as the message says."""

    works: WorkStore
    pods: PodStore
    clusters: Clusters
    launch: LaunchPod
    change: ChangeWork
    queues: Queues
    clock: Clock

    def __call__(self, messages: Sequence[DispatchMessage]) -> list[int]:
        """Indexes of messages that are to be delivered again. One that fails keeps none of the others."""
        wanted = self._wanted(messages)
        records = {
            (each.carrier.key, each.carrier.attempt, each.carrier.epoch): each
            for each in self.pods.get_many([carrier_of(work) for work in wanted.values()])
        }

        def one(work: Work) -> bool:
            return self._one(work, records.get((work.key, work.attempt, work.epoch)))

        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            done = list(pool.map(one, wanted.values()))
        return [index for index, well in zip(wanted, done, strict=True) if not well]

    def _wanted(self, messages: Sequence[DispatchMessage]) -> dict[int, Work]:
        """Stale and doubled messages are dropped here."""
        keys = {
            (WorkKey(message.run_id, message.work_id), message.attempt): index
            for index, message in enumerate(messages)
        }
        found = {}
        for work in self.works.get_many(list({key for key, _ in keys})):
            index = keys.get((work.key, work.attempt))
            if index is not None and work.state is WorkState.ADMITTED and work.cluster:
                found[index] = work
        return found

    def _one(self, work: Work, known: PodRecord | None) -> bool:
        try:
            self.launch(work, self.clusters.connect(work.cluster or ""), known=known)
        except ClusterError as refused:
            return self._refused(work, known.carrier if known else carrier_of(work), refused)
        except CrosswindError:
            _log.exception("%s of %s could not be launched", work.key.work_id, work.key.run_id)
            return False
        return True

    def _refused(self, work: Work, carrier: Carrier, refused: ClusterError) -> bool:
        """What may pass is tried again for as long as a pod may be pending; what no retry mends ends the work."""
        now = self.clock.now()
        _log.warning("%s of %s: %s: %s", work.key.work_id, work.key.run_id, refused.reason.value, refused)
        if not refused.passing:
            return self._change(work, lambda stored: _given_up(stored, carrier, refused, self.clock))
        if work.admitted_at is None or now < work.admitted_at + self._patience(work):
            pause = timedelta(seconds=refused.retry_after_seconds or 0)
            message = DispatchMessage(
                run_id=work.key.run_id, work_id=work.key.work_id, attempt=work.attempt, cluster=work.cluster
            )
            try:
                self.queues.dispatch([message], after=max(pause, LATER))
            except CrosswindError:
                return False
            return True
        return self._change(
            work,
            lambda stored: protocol.lose_carrier(
                stored,
                carrier=carrier.runner_id,
                epoch=carrier.epoch,
                now=self.clock.now(),
                reason=refused.reason,
                detail=str(refused),
            ),
        )

    def _patience(self, work: Work) -> timedelta:
        try:
            spec = self.clusters.connect(work.cluster or "").spec
        except ClusterError:
            return timedelta(minutes=4)
        return timedelta(seconds=duration_seconds(spec.pending))

    def _change(self, work: Work, decide: Callable[[Work], Transition | None]) -> bool:
        try:
            self.change(work.key, lambda stored: decide(stored) if stored else None)
        except CrosswindError:
            _log.exception("%s of %s could not be ended", work.key.work_id, work.key.run_id)
            return False
        return True


def _asked(work: Work) -> Size:
    return Size(work.cpu_millis, work.memory_mib)


def _services(order: PrepareOrder | ShardOrder | MonitorOrder) -> Sequence[ServiceSpec]:
    return order.services if isinstance(order, ShardOrder) else ()


def _given_up(work: Work, carrier: Carrier, refused: ClusterError, clock: Clock) -> Transition | None:
    if work.state is not WorkState.ADMITTED or work.epoch != carrier.epoch:
        return None
    return protocol.give_up(work, reason=f"{refused.reason.value}: {refused}", now=clock.now())
