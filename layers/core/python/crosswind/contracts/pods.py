"""What is known of the pods that carry a run's work: where each went and why, how it began and how it ended."""

from enum import StrEnum

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.clusters import CapacityKind


class PodState(StrEnum):
    """As far as a pod has come."""

    REFUSED = "refused"  # the cluster did not take its Job (yet): `detail` says why
    LAUNCHED = "launched"  # its Job is there
    PENDING = "pending"  # it has no machine, or its containers have not begun
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    GONE = "gone"  # its work has left it, and nobody saw how it ended: `reason` is that of the lost attempt


class PodView(WireModel):
    """One pod of a run: a try of an attempt of a piece of work."""

    work_id: str
    attempt: int = Field(ge=1)
    epoch: int = Field(ge=0, description="Of the work when the pod was launched.")
    number: int = Field(default=0, ge=0, description="0, and one more for each pod that took its place.")
    cluster: str
    namespace: str
    job: str
    image: str
    capacity: CapacityKind
    placement: str = Field(description="Why it went there, as a sentence.")
    cpu_millis: int = Field(gt=0, description="Asked for, of all its containers.")
    memory_mib: int = Field(gt=0)
    provisioned_cpu_millis: int | None = Field(
        default=None, description="What is really billed, where the cluster tells."
    )
    provisioned_memory_mib: int | None = None
    state: PodState
    reason: str | None = Field(
        default=None, description="A code of infrastructure, where it failed or waits for long."
    )
    detail: str | None = Field(default=None, max_length=1000)
    node: str | None = None
    instance_type: str | None = None
    zone: str | None = None
    launched_at: str
    scheduled_at: str | None = None
    started_at: str | None = Field(default=None, description="Its agent began.")
    finished_at: str | None = None


MAX_PODS = 5000


class PodList(WireModel):
    """GET /api/v1/tests/{id}/pods: a run's pods, by work and attempt."""

    items: tuple[PodView, ...] = Field(max_length=MAX_PODS)
    more: int = Field(default=0, ge=0, description="Launches that are not listed.")
