"""Jobs and pods as the API server tells of them, as the facts that the rules read. Unknown fields are passed over."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from crosswind.kernel.clock import from_iso
from crosswind.runs.model import WorkKey
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.jobs import (
    ATTEMPT_LABEL,
    CAPACITY_LABEL,
    EPOCH_LABEL,
    NUMBER_LABEL,
    RUN_LABEL,
    WORK_LABEL,
)
from crosswind.runs.pods.model import Condition, ContainerFacts, JobFacts, PodFacts
from crosswind.runs.pods.naming import Carrier

JOB_NAME = "batch.kubernetes.io/job-name"
PROVISIONED = "CapacityProvisioned"
_SPOT_LABELS = (("karpenter.sh/capacity-type", "spot"), ("eks.amazonaws.com/capacityType", "SPOT"))
_MOST_EVENTS = 3

Json = Mapping[str, Any]


def job_facts(job: Json, pods: Iterable[Json], events: Iterable[str], nodes: Mapping[str, Json]) -> JobFacts:
    """A Job with its pods, the oldest first."""
    metadata = job["metadata"]
    found = sorted((pod_facts(each, nodes) for each in pods), key=lambda pod: pod.created_at)
    return JobFacts(
        name=metadata["name"],
        namespace=metadata["namespace"],
        carrier=carrier_in(metadata.get("labels") or {}),
        created_at=from_iso(metadata["creationTimestamp"]),
        deleted_at=_moment(metadata.get("deletionTimestamp")),
        conditions=_conditions((job.get("status") or {}).get("conditions")),
        pods=tuple(found),
        spot=(metadata.get("labels") or {}).get(CAPACITY_LABEL) == "spot",
        events=tuple(events)[-_MOST_EVENTS:],
    )


def pod_facts(pod: Json, nodes: Mapping[str, Json]) -> PodFacts:
    """One pod. `nodes` has the labels of nodes by name, as far as they are known."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    labels = metadata.get("labels") or {}
    node = spec.get("nodeName")
    around = nodes.get(node or "", {})
    return PodFacts(
        name=metadata["name"],
        job=labels.get(JOB_NAME, ""),
        phase=status.get("phase", "Unknown"),
        created_at=from_iso(metadata["creationTimestamp"]),
        deleted_at=_moment(metadata.get("deletionTimestamp")),
        reason=status.get("reason"),
        message=status.get("message"),
        node=node,
        conditions=_conditions(status.get("conditions")),
        containers=tuple(_containers(status)),
        provisioned=_provisioned((metadata.get("annotations") or {}).get(PROVISIONED)),
        spot=any(around.get(name) == value for name, value in _SPOT_LABELS)
        or (labels.get(CAPACITY_LABEL) == "spot" and not around),
        instance_type=around.get("node.kubernetes.io/instance-type"),
        zone=around.get("topology.kubernetes.io/zone"),
    )


def carrier_in(labels: Mapping[str, str]) -> Carrier | None:
    """Which try a Job or pod says that it carries; None where its labels are not ours."""
    try:
        return Carrier(
            WorkKey(labels[RUN_LABEL], labels[WORK_LABEL]),
            int(labels[ATTEMPT_LABEL]),
            int(labels[EPOCH_LABEL]),
            int(labels[NUMBER_LABEL]),
        )
    except (KeyError, ValueError):
        return None


def _containers(status: Json) -> Iterator[ContainerFacts]:
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = each.get("state") or {}
        waiting, running = state.get("waiting") or {}, state.get("running") or {}
        over = state.get("terminated") or {}
        before = (each.get("lastState") or {}).get("terminated") or {}
        yield ContainerFacts(
            name=each["name"],
            waiting=waiting.get("reason"),
            message=waiting.get("message") or over.get("message"),
            began_at=_moment(running.get("startedAt") or _known(over.get("startedAt"))),
            exit_code=over.get("exitCode"),
            terminated=over.get("reason") or (before.get("reason") if waiting else None),
            finished_at=_moment(over.get("finishedAt")),
            restarts=each.get("restartCount", 0),
            ready=bool(each.get("ready")),
        )


def _known(moment: str | None) -> str | None:
    """A container that never began has started with Unix time, as the kubelet tells it."""
    return None if moment is None or moment.startswith("1970-") else moment


def _conditions(given: Iterable[Json] | None) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            type=each["type"],
            status=each.get("status") == "True",
            reason=each.get("reason"),
            message=each.get("message"),
            at=_moment(each.get("lastTransitionTime")),
        )
        for each in given or ()
    )


def _provisioned(text: str | None) -> Size | None:
    """`0.5vCPU 1GB`, as EKS on Fargate writes it."""
    parts = (text or "").split()
    try:
        cpu, memory = parts[0].removesuffix("vCPU"), parts[1].removesuffix("GB")
        return Size(round(float(cpu) * 1000), round(float(memory) * 1024))
    except (IndexError, ValueError):
        return None


def _moment(text: str | None) -> datetime | None:
    return from_iso(text) if text else None
