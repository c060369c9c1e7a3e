"""What is to be done about a Job, seen beside the work that it was made for. Pure, and the same however often it is asked.

The work item is the truth: a Job that does not carry the present try of its work is in the way, and is removed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.contracts.clusters import CapacityKind, ClusterSpec
from crosswind.contracts.pods import PodState
from crosswind.contracts.suites import duration_seconds
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Work, WorkState
from crosswind.runs.pods.classifying import Ended, Waits, began, ended, waits
from crosswind.runs.pods.model import JobFacts, PodFacts, PodRecord
from crosswind.runs.pods.naming import Carrier, namespace_of

FINISHING = timedelta(seconds=60)
"""How long an agent may take to leave after its work is done: it reports, and ends its sidecars."""
SILENT_END = timedelta(seconds=10)
"""A pod that ended well and whose work has not: its last write may be on the way."""
IMAGE_PATIENCE = timedelta(seconds=60)
REFUSED_PATIENCE = timedelta(seconds=20)
SAME_OFFER_TRIES = 2


@dataclass(frozen=True, slots=True)
class Lose:
    """The attempt is lost, on the budget of infrastructure."""

    reason: InfrastructureReason
    detail: str
    unless_begun: bool = False
    """What is said of a pod that waits no longer holds once its agent has the work."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The work cannot be carried out: another attempt would be refused as this one was."""

    reason: InfrastructureReason
    detail: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the Job with its pod."""

    why: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Make the pod again; on another offer when `elsewhere`."""

    detail: str
    elsewhere: bool


Act = Lose | GiveUp | Remove | Replace


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of the pod now, if a record is kept, and what is to be done."""

    record: PodRecord | None
    acts: tuple[Act, ...] = ()


def observe(
    job: JobFacts, work: Work | None, record: PodRecord | None, cluster: ClusterSpec, *, now: datetime
) -> Observation:
    """Look at one Job."""
    if job.carrier is not None and work is not None and not _is_ours(job, job.carrier, work, cluster):
        return Observation(None)
    end = ended(job)
    waiting = None if end else waits(job)
    known = _noted(record, job, end, waiting) if record is not None and _is_of(record, job) else None
    if job.carrier is None or work is None:
        return Observation(known, () if job.deleted_at else (Remove("no work of this deployment needs it"),))
    if not _carries(job, work, record):
        return Observation(known, _in_the_way(job, work, end, now))
    if end is not None:
        return Observation(known, _over(end, work, now))
    if waiting is not None:
        return Observation(known, _patience(job, waiting, cluster, now))
    return Observation(known)


def _is_ours(job: JobFacts, carrier: Carrier, work: Work, cluster: ClusterSpec) -> bool:
    """Anybody who may make Jobs somewhere in the cluster can label one with another team's work. The name of a Job is
    made of the same, and nobody else makes Jobs in the team's namespace."""
    return job.name == carrier.job and job.namespace == namespace_of(cluster.namespace_prefix, work.team)


def _is_of(record: PodRecord, job: JobFacts) -> bool:
    return job.carrier == record.carrier


def _carries(job: JobFacts, work: Work, record: PodRecord | None) -> bool:
    carrier = job.carrier
    if carrier is None:
        return False
    if work.state is WorkState.LEASED:
        return work.lease is not None and work.lease.runner_id == carrier.runner_id
    if work.state is not WorkState.ADMITTED or (work.attempt, work.epoch) != (carrier.attempt, carrier.epoch):
        return False
    return record is None or record.carrier.number == carrier.number


def _in_the_way(job: JobFacts, work: Work, end: Ended | None, now: datetime) -> tuple[Act, ...]:
    if end is not None or job.deleted_at is not None:
        return ()  # its time to live removes it
    commit = work.commit
    if commit is not None and commit.prefix is not None and now < commit.at + FINISHING:
        return ()  # its agent has committed and is about to leave
    return (Remove("its work is over" if commit else "its work has moved on"),)


def _over(end: Ended, work: Work, now: datetime) -> tuple[Act, ...]:
    if end.reason is not None:
        return (Lose(end.reason, end.detail),)
    if end.at is not None and now < end.at + SILENT_END:
        return ()
    what = "never took its work" if work.state is WorkState.ADMITTED else "ended without ending its work"
    return (Lose(InfrastructureReason.RUNNER_ERROR, f"its pod {what}"),)


def _patience(job: JobFacts, waiting: Waits, cluster: ClusterSpec, now: datetime) -> tuple[Act, ...]:
    waited = now - job.created_at
    late = waited >= timedelta(seconds=duration_seconds(cluster.pending))
    lost = Lose(waiting.reason, waiting.detail, unless_begun=True)
    acts: tuple[Act, ...] = ()
    match waiting.reason:
        case InfrastructureReason.IMAGE_PULL:
            if waiting.hopeless or now - _scheduled_at(job) >= IMAGE_PATIENCE:
                acts = (lost, Remove("its image cannot be pulled"))
        case InfrastructureReason.SERVICE_NOT_READY:
            acts = (lost, Remove("a service was not ready"))
        case _ if waiting.hopeless:
            if waited >= REFUSED_PATIENCE:
                acts = (GiveUp(waiting.reason, waiting.detail), Remove("the cluster refuses its pod"))
        case InfrastructureReason.CLUSTER_REFUSED | InfrastructureReason.CLUSTER_QUOTA:
            if late:
                acts = (lost, Remove("the cluster did not take its pod"))
        case _:
            acts = _again(job, waiting, cluster) if late else ()
    return acts


def _scheduled_at(job: JobFacts) -> datetime:
    """When its pod got a machine, which an image is pulled onto."""
    moments = [
        each.at
        for pod in job.pods
        for each in pod.conditions
        if each.type == "PodScheduled" and each.status and each.at
    ]
    return max(moments, default=job.created_at)


def _again(job: JobFacts, waiting: Waits, cluster: ClusterSpec) -> tuple[Act, ...]:
    """Twice on each offer; what none of them could start is lost."""
    tries = 1 + (job.carrier.number if job.carrier else 0)
    if tries >= SAME_OFFER_TRIES * len(cluster.capacity):
        lost = Lose(waiting.reason, waiting.detail, unless_begun=True)
        return (lost, Remove("no offer of the cluster started it"))
    return (Replace(waiting.detail, elsewhere=tries % SAME_OFFER_TRIES == 0),)


def _noted(record: PodRecord, job: JobFacts, end: Ended | None, waiting: Waits | None) -> PodRecord:
    pod = job.pods[-1] if job.pods else None
    known = record if pod is None else _of_pod(record, pod)
    if end is not None and record.state is PodState.FAILED:
        return known  # its end is told already; what is left of it, such as a Job without its pod, says less
    if end is not None:
        return replace(
            known,
            state=PodState.FAILED if end.reason else PodState.SUCCEEDED,
            reason=end.reason.value if end.reason else None,
            detail=end.detail if end.reason else None,
            finished_at=known.finished_at or end.at,
        )
    if waiting is not None:
        return replace(known, state=PodState.PENDING, reason=waiting.reason.value, detail=waiting.detail)
    return replace(known, state=PodState.RUNNING, reason=None, detail=None)


def _of_pod(record: PodRecord, pod: PodFacts) -> PodRecord:
    scheduled = next((each for each in pod.conditions if each.type == "PodScheduled" and each.status), None)
    return replace(
        record,
        node=pod.node or record.node,
        instance_type=pod.instance_type or record.instance_type,
        zone=pod.zone or record.zone,
        provisioned=pod.provisioned or record.provisioned,
        capacity=CapacityKind.SPOT if pod.spot else record.capacity,
        scheduled_at=(scheduled.at if scheduled else None) or record.scheduled_at,
        started_at=began(pod) or record.started_at,
    )
