"""What became of a pod, in the words of infrastructure. Pure: from what Kubernetes tells of it.

Shapes as real API servers and kubelets gave them (tests/cluster). None of these reasons says anything about a test.
"""

from dataclasses import dataclass
from datetime import datetime

from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.model import Condition, ContainerFacts, JobFacts, PodFacts

AGENT, SERVICE_PREFIX = "agent", "service-"
_LONGEST = 500
_KILLED = 137
_DEADLINE = "DeadlineExceeded"
_TOLD_TO_END = (
    0,
    143,
    _KILLED,
)  # what a deleted pod's agent ends with: by itself, by SIGTERM, or when its time is up

_DISRUPTIONS = {
    "PreemptionByScheduler": InfrastructureReason.POD_PREEMPTED,
    "EvictionByEvictionAPI": InfrastructureReason.EVICTED,
    "DeletionByTaintManager": InfrastructureReason.NODE_LOST,
    "DeletionByPodGC": InfrastructureReason.NODE_LOST,
    "TerminationByKubelet": InfrastructureReason.EVICTED,
}
_ON_SPOT = frozenset({InfrastructureReason.EVICTED, InfrastructureReason.NODE_LOST})
"""On Spot these mean, as a rule, that the machine was reclaimed. Pressure on a node tells of itself, and is kept."""
_POD_REASONS = {
    "Evicted": InfrastructureReason.EVICTED,
    "NodeLost": InfrastructureReason.NODE_LOST,
    "NodeShutdown": InfrastructureReason.NODE_LOST,
    "Shutdown": InfrastructureReason.NODE_LOST,
    "Terminated": InfrastructureReason.NODE_LOST,
    "Preempting": InfrastructureReason.POD_PREEMPTED,
    "Preempted": InfrastructureReason.POD_PREEMPTED,
    _DEADLINE: InfrastructureReason.POD_DEADLINE,
    "OutOfcpu": InfrastructureReason.CAPACITY,
    "OutOfmemory": InfrastructureReason.CAPACITY,
    "OutOfpods": InfrastructureReason.CAPACITY,
    "NodeAffinity": InfrastructureReason.CAPACITY,
    "UnexpectedAdmissionError": InfrastructureReason.CAPACITY,
}
IMAGE_WAITS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
HOPELESS_IMAGES = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_CONFIG_WAITS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_PRESSURE = ("low on resource", "pressure", "ephemeral", "exceeds the limit")


@dataclass(frozen=True, slots=True)
class Ended:
    """The pod has ended. `reason` None: its agent ended as it should."""

    reason: InfrastructureReason | None
    detail: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """The pod's agent has not begun. `hopeless`: waiting longer mends nothing."""

    reason: InfrastructureReason
    detail: str
    hopeless: bool = False


def ended(job: JobFacts) -> Ended | None:
    """How the Job's pod ended; None while it has not."""
    failed = _condition(job.conditions, "Failed") or _condition(job.conditions, "FailureTarget")
    late = failed is not None and failed.reason == _DEADLINE  # its pod is deleted for that, and says no more
    for pod in job.pods:
        found = _pod_ended(pod)
        if found is not None and not late:
            return found
    if failed is not None:
        return Ended(
            _without_pod(failed, job), _text(failed.message or failed.reason or "its Job failed"), failed.at
        )
    complete = _condition(job.conditions, "Complete")
    if complete is not None:
        return Ended(None, "its Job is complete", complete.at)
    return None


def waits(job: JobFacts) -> Waits | None:
    """Why the Job's agent has not begun; None once it has."""
    if not job.pods:
        return _no_pod(job)
    pod = job.pods[-1]
    if _agent_began(pod):
        return None
    return _not_ready(pod) or _unscheduled(pod)


def began(pod: PodFacts) -> datetime | None:
    """When its agent began."""
    agent = _container(pod, AGENT)
    if agent is None:
        return None
    return agent.began_at or pod.started_at


def _without_pod(failed: Condition, job: JobFacts) -> InfrastructureReason:
    """The pod is gone, or says nothing; its Job's condition still tells a disruption from a failure (rule 0 of its policy)."""
    if failed.reason == _DEADLINE:
        return InfrastructureReason.POD_DEADLINE
    if failed.reason == "PodFailurePolicy" and "DisruptionTarget" in (failed.message or ""):
        return InfrastructureReason.SPOT if job.spot else InfrastructureReason.EVICTED
    return InfrastructureReason.POD_GONE


def _pod_ended(pod: PodFacts) -> Ended | None:
    at = max((each.finished_at for each in pod.containers if each.finished_at), default=None)
    disrupted = _condition(pod.conditions, "DisruptionTarget")
    if disrupted is not None and (pod.phase == "Failed" or pod.deleted_at is not None):
        reason = _DISRUPTIONS.get(disrupted.reason or "", InfrastructureReason.EVICTED)
        detail = disrupted.message or pod.message or disrupted.reason or "it was disrupted"
        return Ended(_reclaimed(reason, pod, detail), _text(detail), at or disrupted.at)
    if pod.phase == "Succeeded":
        return Ended(None, "its pod ended", at)
    if pod.phase != "Failed":
        return None
    known = _POD_REASONS.get(pod.reason or "")
    if known is not None:
        detail = pod.message or pod.reason or ""
        return Ended(_reclaimed(known, pod, detail), _text(detail), at)
    return _container_failed(pod, at)


def _reclaimed(reason: InfrastructureReason, pod: PodFacts, detail: str) -> InfrastructureReason:
    under_pressure = any(word in detail.lower() for word in _PRESSURE)
    return InfrastructureReason.SPOT if pod.spot and reason in _ON_SPOT and not under_pressure else reason


def _container_failed(pod: PodFacts, at: datetime | None) -> Ended:
    agent = _container(pod, AGENT)
    for container in (agent, *pod.containers):
        if container is not None and container.terminated == "OOMKilled":
            return Ended(
                InfrastructureReason.OOM_RUNNER,
                _text(f"container {container.name} was killed: it used more memory than its limit"),
                container.finished_at or at,
            )
    if agent is None or agent.exit_code is None:
        return Ended(
            InfrastructureReason.RUNNER_ERROR, _text(pod.message or pod.reason or "its pod failed"), at
        )
    if pod.deleted_at is not None and agent.exit_code in _TOLD_TO_END:
        return Ended(InfrastructureReason.POD_GONE, "somebody deleted its pod", agent.finished_at or at)
    how = "was killed" if agent.exit_code == _KILLED else f"ended with status {agent.exit_code}"
    tail = f": {agent.message}" if agent.message else ""
    return Ended(InfrastructureReason.RUNNER_ERROR, _text(f"its agent {how}{tail}"), agent.finished_at or at)


def _no_pod(job: JobFacts) -> Waits:
    """A Job whose pods are refused tells of it by events alone."""
    told = " ".join(job.events)
    if "violates PodSecurity" in told or "admission webhook" in told:
        return Waits(InfrastructureReason.CLUSTER_REFUSED, _text(job.events[-1]), hopeless=True)
    if "exceeded quota" in told:
        return Waits(InfrastructureReason.CLUSTER_QUOTA, _text(job.events[-1]))
    if "forbidden" in told or "not found" in told:
        return Waits(InfrastructureReason.CLUSTER_REFUSED, _text(job.events[-1]), hopeless=True)
    return Waits(
        InfrastructureReason.PLATFORM_TIMEOUT,
        _text(job.events[-1] if job.events else "its Job has no pod yet"),
    )


def _not_ready(pod: PodFacts) -> Waits | None:
    for container in pod.containers:
        waiting = container.waiting or ""
        if waiting in IMAGE_WAITS:
            detail = (
                f"container {container.name}: {waiting}: {container.message or 'its image cannot be pulled'}"
            )
            return Waits(InfrastructureReason.IMAGE_PULL, _text(detail), hopeless=waiting in HOPELESS_IMAGES)
        if waiting in _CONFIG_WAITS:
            detail = f"container {container.name}: {waiting}: {container.message or ''}"
            return Waits(InfrastructureReason.CLUSTER_REFUSED, _text(detail))
    for container in pod.containers:
        if container.name.startswith(SERVICE_PREFIX) and container.restarts:
            name = container.name.removeprefix(SERVICE_PREFIX)
            detail = f"service {name} began {container.restarts + 1} times and was not ready"
            return Waits(InfrastructureReason.SERVICE_NOT_READY, _text(detail), hopeless=True)
    return None


def _unscheduled(pod: PodFacts) -> Waits:
    scheduled = next((each for each in pod.conditions if each.type == "PodScheduled"), None)
    if scheduled is not None and not scheduled.status:
        return Waits(
            InfrastructureReason.CAPACITY,
            _text(scheduled.message or scheduled.reason or "it has no machine yet"),
        )
    where = f" on {pod.node}" if pod.node else ""
    return Waits(InfrastructureReason.PLATFORM_TIMEOUT, _text(f"its containers are being started{where}"))


def _agent_began(pod: PodFacts) -> bool:
    agent = _container(pod, AGENT)
    return agent is not None and (agent.began_at is not None or agent.exit_code is not None)


def _container(pod: PodFacts, name: str) -> ContainerFacts | None:
    return next((each for each in pod.containers if each.name == name), None)


def _condition(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    return next((each for each in conditions if each.type == kind and each.status), None)


def _text(detail: str) -> str:
    return " ".join(detail.split())[:_LONGEST]
