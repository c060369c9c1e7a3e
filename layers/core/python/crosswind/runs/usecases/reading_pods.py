"""Reading where a run's pods went, and how each ended."""

from dataclasses import dataclass

from crosswind.contracts.actors import Actor
from crosswind.contracts.pods import MAX_PODS, PodList, PodView
from crosswind.kernel.clock import to_iso
from crosswind.runs.pods.model import PodRecord
from crosswind.runs.pods.ports import PodStore
from crosswind.runs.pods.settling import OPEN, settled
from crosswind.runs.ports import WorkStore
from crosswind.runs.usecases.reading import FindRun


@dataclass(frozen=True)
class ListPods:
    """A run's pods, by work and attempt."""

    find: FindRun
    pods: PodStore
    works: WorkStore

    def __call__(self, run_id: str, *, work_id: str | None, actor: Actor) -> PodList:
        """Raises NotFoundError, ForbiddenError."""
        run = self.find(run_id, actor=actor)
        found = [
            record
            for record in self.pods.of_run(run.run_id)
            if work_id is None or record.carrier.key.work_id == work_id
        ]
        shown = found[:MAX_PODS]
        keys = {record.carrier.key for record in shown if record.state in OPEN}
        works = {work.key: work for work in self.works.get_many(sorted(keys))}
        return PodList(
            items=tuple(view_of(settled(record, works.get(record.carrier.key))) for record in shown),
            more=len(found) - len(shown),
        )


def view_of(record: PodRecord) -> PodView:
    """What is told of a pod."""
    carrier = record.carrier
    return PodView(
        work_id=carrier.key.work_id,
        attempt=carrier.attempt,
        epoch=carrier.epoch,
        number=carrier.number,
        cluster=record.cluster,
        namespace=record.namespace,
        job=carrier.job,
        image=record.image,
        capacity=record.capacity,
        placement=record.placement,
        cpu_millis=record.asked.cpu_millis,
        memory_mib=record.asked.memory_mib,
        provisioned_cpu_millis=record.provisioned.cpu_millis if record.provisioned else None,
        provisioned_memory_mib=record.provisioned.memory_mib if record.provisioned else None,
        state=record.state,
        reason=record.reason,
        detail=record.detail,
        node=record.node,
        instance_type=record.instance_type,
        zone=record.zone,
        launched_at=to_iso(record.launched_at),
        scheduled_at=to_iso(record.scheduled_at) if record.scheduled_at else None,
        started_at=to_iso(record.started_at) if record.started_at else None,
        finished_at=to_iso(record.finished_at) if record.finished_at else None,
    )
