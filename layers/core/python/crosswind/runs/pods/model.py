"""Frozen values of work in pods."""

from dataclasses import dataclass
from datetime import datetime

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.pods import PodState
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.naming import Carrier


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRecord:
    """What is stored of one pod of a run. The launcher writes the first part, the observer the second."""

    carrier: Carrier
    team: str
    cluster: str
    namespace: str
    image: str
    capacity: CapacityKind
    placement: str
    asked: Size
    launched_at: datetime
    tried: tuple[CapacityKind, ...] = ()  # offers that could not start this attempt before
    state: PodState = PodState.LAUNCHED
    reason: str | None = None
    detail: str | None = None
    provisioned: Size | None = None
    node: str | None = None
    instance_type: str | None = None
    zone: str | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caretaker:
    """A controller that looks after a cluster from within, and until when that may be relied on."""

    cluster: str
    until: datetime
    jobs: int  # that it looks after


NOT_BEGUN = frozenset({PodState.REFUSED, PodState.LAUNCHED, PodState.PENDING})
"""States of pods whose agent has not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts:
    """A container's state, as the kubelet tells it."""

    name: str
    waiting: str | None = None  # reason, such as ImagePullBackOff
    message: str | None = None
    began_at: datetime | None = None  # told of ended containers too
    exit_code: int | None = None
    terminated: str | None = None  # reason, such as OOMKilled
    finished_at: datetime | None = None
    restarts: int = 0
    ready: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that is True of a pod or a Job, or False with a reason."""

    type: str
    status: bool
    reason: str | None = None
    message: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """A pod, as far as it matters here."""

    name: str
    job: str
    phase: str  # Pending, Running, Succeeded, Failed, Unknown
    created_at: datetime
    deleted_at: datetime | None = None  # it is being deleted
    reason: str | None = None  # such as Evicted, DeadlineExceeded, NodeLost
    message: str | None = None
    node: str | None = None
    conditions: tuple[Condition, ...] = ()
    containers: tuple[ContainerFacts, ...] = ()  # sidecars too
    provisioned: Size | None = None  # annotation CapacityProvisioned
    spot: bool = False
    instance_type: str | None = None
    zone: str | None = None
    started_at: datetime | None = None  # of the agent


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """A Job of ours with its pods, as a listing found it."""

    name: str
    namespace: str
    carrier: Carrier | None  # from its labels; None: they cannot be read
    created_at: datetime
    deleted_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()  # Failed, Complete, FailureTarget
    pods: tuple[PodFacts, ...] = ()
    spot: bool = False  # it was placed on Spot
    events: tuple[str, ...] = ()  # warnings of late, such as why no pod could be made
