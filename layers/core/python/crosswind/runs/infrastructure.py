"""Why infrastructure fails under a piece of work, what people are told of it, and how long the next attempt waits.

None of these reasons says anything about a test: they use up the platform's budget, never the tests' (principle 6).
"""

import hashlib
from datetime import timedelta
from enum import StrEnum

from crosswind.runs.model import WorkKey

LONGEST_BACKOFF = timedelta(minutes=5)
_FIRST_BACKOFF = timedelta(seconds=2)
_MOST_DOUBLINGS = 16  # far beyond the longest


class InfrastructureReason(StrEnum):
    """Codes of lost attempts and of work that was given up. They are stored: a code is never renamed."""

    LEASE_LOST = "lease_lost"
    UNDELIVERED = "undelivered"
    EVICTED = "evicted"
    SPOT = "spot"
    OOM_RUNNER = "oom_runner"
    IMAGE_PULL = "image_pull"
    CAPACITY = "capacity"
    PLATFORM_TIMEOUT = "platform_timeout"
    RUNNER_ERROR = "runner_error"
    DISK_FULL = "disk_full"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    SOURCE_UNREACHABLE = "source_unreachable"
    ARCHIVE_MISSING = "archive_missing"
    ARCHIVE_CORRUPT = "archive_corrupt"
    ARCHIVE_REFUSED = "archive_refused"
    ORDER_UNREADABLE = "order_unreadable"
    FRAMEWORK_MISSING = "framework_missing"
    SECRET_MISSING = "secret_missing"  # noqa: S105  # a code, no secret
    ADMISSION_FAILED = "admission_failed"
    QUEUE_TIMEOUT = "queue_timeout"
    NOT_STARTED = "not_started"
    RUN_TIMEOUT = "run_timeout"
    NODE_LOST = "node_lost"
    POD_PREEMPTED = "pod_preempted"
    POD_DEADLINE = "pod_deadline"
    POD_GONE = "pod_gone"
    SERVICE_NOT_READY = "service_not_ready"
    CLUSTER_MISSING = "cluster_missing"
    CLUSTER_REFUSED = "cluster_refused"
    CLUSTER_QUOTA = "cluster_quota"
    CLUSTER_THROTTLED = "cluster_throttled"
    CLUSTER_UNREACHABLE = "cluster_unreachable"


_MEANINGS = {
    InfrastructureReason.LEASE_LOST: "its runner stopped sending heartbeats",
    InfrastructureReason.UNDELIVERED: "no runner claimed its message",
    InfrastructureReason.EVICTED: "the cluster evicted its runner",
    InfrastructureReason.SPOT: "the Spot capacity under its runner was reclaimed",
    InfrastructureReason.OOM_RUNNER: "its runner ran out of memory, beside the tests",
    InfrastructureReason.IMAGE_PULL: "the image of its runner could not be pulled",
    InfrastructureReason.CAPACITY: "there was no capacity to start its runner",
    InfrastructureReason.PLATFORM_TIMEOUT: "the platform did not start its runner in time",
    InfrastructureReason.RUNNER_ERROR: "its runner failed",
    InfrastructureReason.DISK_FULL: "the disk of its runner was full",
    InfrastructureReason.STORAGE_UNAVAILABLE: "its runner could not reach the stores",
    InfrastructureReason.SOURCE_UNREACHABLE: "its source could not be reached",
    InfrastructureReason.ARCHIVE_MISSING: "its prepared archive is gone",
    InfrastructureReason.ARCHIVE_CORRUPT: "its prepared archive is damaged",
    InfrastructureReason.ARCHIVE_REFUSED: "its prepared archive was refused",
    InfrastructureReason.ORDER_UNREADABLE: "its order could not be read",
    InfrastructureReason.FRAMEWORK_MISSING: "its runner has no adapter of its framework",
    InfrastructureReason.SECRET_MISSING: "a secret that it names does not exist",
    InfrastructureReason.ADMISSION_FAILED: "it could not be put into the queue",
    InfrastructureReason.QUEUE_TIMEOUT: "it waited for a slot longer than its suite allows",
    InfrastructureReason.NOT_STARTED: "the workers of its load job did not all begin together",
    InfrastructureReason.RUN_TIMEOUT: "the time of its run was over",
    InfrastructureReason.NODE_LOST: "the machine under its pod was lost",
    InfrastructureReason.POD_PREEMPTED: "a pod of higher priority took its pod's place",
    InfrastructureReason.POD_DEADLINE: "its pod ran into its deadline",
    InfrastructureReason.POD_GONE: "its pod was deleted",
    InfrastructureReason.SERVICE_NOT_READY: "a service beside its tests was not ready in time",
    InfrastructureReason.CLUSTER_MISSING: "the cluster that it was to run on is not known",
    InfrastructureReason.CLUSTER_REFUSED: "the cluster refused its pod",
    InfrastructureReason.CLUSTER_QUOTA: "its team's quota on the cluster was used up",
    InfrastructureReason.CLUSTER_THROTTLED: "the cluster took no more requests",
    InfrastructureReason.CLUSTER_UNREACHABLE: "the cluster could not be reached",
}

_AT_ONCE = frozenset(
    {
        InfrastructureReason.LEASE_LOST,
        InfrastructureReason.UNDELIVERED,
        InfrastructureReason.EVICTED,
        InfrastructureReason.SPOT,
        InfrastructureReason.OOM_RUNNER,
        InfrastructureReason.RUNNER_ERROR,
        InfrastructureReason.NODE_LOST,
        InfrastructureReason.POD_PREEMPTED,
        InfrastructureReason.POD_GONE,
    }
)
"""One runner is gone and others are well: the first loss is made good without a wait. The rest needs time to mend."""


def reason_in(text: str | None) -> InfrastructureReason | None:
    """The code that the stored reason of a failure or a commit begins with; None where it has none that is known."""
    code = (text or "").partition(":")[0]
    return InfrastructureReason(code) if code in set(InfrastructureReason) else None


def meaning(reason: InfrastructureReason) -> str:
    """For people: the end of a sentence that begins with the work it happened to."""
    return _MEANINGS[reason]


def backoff(reason: str, key: WorkKey, *, attempt: int, earlier: int) -> timedelta:
    """How long work waits after its `attempt` was lost, when `earlier` attempts were lost before.

    Doubled with each loss up to LONGEST_BACKOFF, of which between a half and all is taken: many shards that one fault
    hit do not come back together. The part follows from what is lost, so that every writer computes the same.
    """
    waits = earlier if reason in _AT_ONCE else earlier + 1
    if waits == 0:
        return timedelta()
    longest = min(_FIRST_BACKOFF * (1 << min(waits - 1, _MOST_DOUBLINGS)), LONGEST_BACKOFF)
    return longest * (0.5 + 0.5 * _share(key, attempt))


def _share(key: WorkKey, attempt: int) -> float:
    """From 0 to below 1, evenly spread, the same for the same attempt."""
    digest = hashlib.sha256(f"{key.run_id}/{key.work_id}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32
