"""A piece of work as a `batch/v1` Job. Pure: the same work gives the same Job, byte for byte (golden files check it).

The pod has the agent, which holds the lease and the AWS role, and beside it the tests in a container of their own, which
have neither: they share a folder, and a socket by which the agent has commands started over there (docs/pods.md).
Tests and services are sidecar containers, so the pod ends when the agent does. Everything fits Pod Security `restricted`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosswind.contracts.clusters import CapacityKind, ClusterSpec
from crosswind.contracts.services import Readiness, ServiceSpec
from crosswind.contracts.suites import duration_seconds
from crosswind.contracts.work import MonitorOrder, PrepareOrder, ShardOrder
from crosswind.runs.model import Work
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.images import agent_image, tests_image
from crosswind.runs.pods.naming import Carrier, namespace_of
from crosswind.runs.pods.placing import Placement
from crosswind.runs.pods.sizes import Sizes

USER = 10001
GRACE_SECONDS = 30
TTL_SECONDS = 60
HOME = "/crosswind"
WORK_MOUNT = f"{HOME}/work"
WORK_FOLDER = f"{WORK_MOUNT}/runner"
HAND_SOCKET = f"{HOME}/hand/socket"
RUNNER = "/opt/crosswind/bin/crosswind-runner"
AGENT, TESTS, SERVICE_PREFIX = "agent", "tests", "service-"
WORK_GIB = 10
TMP_GIB = 2

STAGE_LABEL = "crosswind.dev/stage"
RUN_LABEL = "crosswind.dev/run"
WORK_LABEL = "crosswind.dev/work"
ATTEMPT_LABEL = "crosswind.dev/attempt"
EPOCH_LABEL = "crosswind.dev/epoch"
NUMBER_LABEL = "crosswind.dev/number"
TEAM_LABEL = "crosswind.dev/team"
SUITE_LABEL = "crosswind.dev/suite"
CAPACITY_LABEL = "crosswind.dev/capacity"
MANAGED_BY = {"app.kubernetes.io/managed-by": "crosswind", "app.kubernetes.io/part-of": "crosswind"}
_SPREAD_KEY = "topology.kubernetes.io/zone"
_HOST_KEY = "kubernetes.io/hostname"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """All that makes a Job."""

    work: Work
    order: PrepareOrder | ShardOrder | MonitorOrder
    carrier: Carrier
    cluster: ClusterSpec
    placement: Placement
    sizes: Sizes
    stage: str
    environment: Mapping[str, str]  # StoreSettings as variables


def job_of(launch: Launch) -> Json:
    """The manifest."""
    work, cluster = launch.work, launch.cluster
    labels = _labels(launch)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": launch.carrier.job,
            "namespace": namespace_of(cluster.namespace_prefix, work.team),
            "labels": labels,
            "annotations": _annotations(launch),
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": deadline_seconds(launch.order, cluster),
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": AGENT, "operator": "NotIn", "values": [0]},
                    },
                ]
            },
            "template": {
                "metadata": {
                    "labels": labels | launch.placement.offer.labels,
                    "annotations": _pod_annotations(launch),
                },
                "spec": _pod(launch),
            },
        },
    }


def deadline_seconds(order: PrepareOrder | ShardOrder | MonitorOrder, cluster: ClusterSpec) -> int:
    """A backstop far behind the runner's own limit: start-up, every retry, and time to upload."""
    retries = order.test_retries if isinstance(order, ShardOrder) else 0
    return 2 * duration_seconds(cluster.pending) + order.timeout_seconds * (1 + retries) + 600


def traceparent(launch: Launch) -> str:
    """W3C trace context: one trace for a run, one span for each of its Jobs."""
    trace = hashlib.sha256(launch.work.key.run_id.encode()).hexdigest()[:32]
    span = hashlib.sha256(launch.carrier.job.encode()).hexdigest()[:16]
    return f"00-{trace}-{span}-01"


def _labels(launch: Launch) -> Json:
    work = launch.work
    return MANAGED_BY | {
        "app.kubernetes.io/name": f"crosswind-{work.kind.value}",
        STAGE_LABEL: launch.stage,
        RUN_LABEL: work.key.run_id,
        WORK_LABEL: work.key.work_id,
        ATTEMPT_LABEL: str(launch.carrier.attempt),
        EPOCH_LABEL: str(launch.carrier.epoch),
        NUMBER_LABEL: str(launch.carrier.number),
        TEAM_LABEL: work.team[:63],
        SUITE_LABEL: work.suite[:63].rstrip("-."),
        CAPACITY_LABEL: launch.placement.offer.kind.value,
    }


def _annotations(launch: Launch) -> Json:
    return {
        "crosswind.dev/test": launch.work.test,
        "crosswind.dev/placement": launch.placement.reason,
        "crosswind.dev/traceparent": traceparent(launch),
    }


def _pod_annotations(launch: Launch) -> Json:
    others = [TESTS, *(f"{SERVICE_PREFIX}{each.name}" for each in _services(launch.order))]
    annotations = _annotations(launch) | {
        "eks.amazonaws.com/skip-containers": ",".join(others),
        "kubectl.kubernetes.io/default-container": TESTS,
    }
    if not launch.work.interruptible:
        annotations["karpenter.sh/do-not-disrupt"] = "true"
        annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false"
    return annotations


def _pod(launch: Launch) -> Json:
    work, offer = launch.work, launch.placement.offer
    services = zip(_services(launch.order), launch.sizes.services, strict=True)
    pod: Json = {
        "restartPolicy": "Never",
        "serviceAccountName": launch.cluster.runner.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "priorityClassName": f"crosswind-{work.priority.value.lower()}",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [*(_service(each, size, launch) for each, size in services), _tests(launch)],
        "containers": [_agent(launch)],
        "volumes": _volumes(_services(launch.order)),
    }
    if offer.node_selector:
        pod["nodeSelector"] = dict(offer.node_selector)
    if offer.tolerations:
        pod["tolerations"] = [each.model_dump(exclude_none=True) for each in offer.tolerations]
    if offer.kind is not CapacityKind.FARGATE:
        pod |= _spread(work)
    return pod


def _spread(work: Work) -> Json:
    """Over zones, and away from one another, as far as there is room: one lost machine then takes few shards with it."""
    selector = {"matchLabels": {RUN_LABEL: work.key.run_id}}
    return {
        "topologySpreadConstraints": [
            {
                "maxSkew": 5,
                "topologyKey": _SPREAD_KEY,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": selector,
            }
        ],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 10, "podAffinityTerm": {"topologyKey": _HOST_KEY, "labelSelector": selector}}
                ]
            }
        },
    }


def _agent(launch: Launch) -> Json:
    work, runner = launch.work, launch.cluster.runner
    environment = {
        **launch.environment,
        **runner.env,
        "CROSSWIND_RUNNER_ID": launch.carrier.runner_id,
        "CROSSWIND_WORK_FOLDER": WORK_FOLDER,
        "CROSSWIND_HAND": HAND_SOCKET,
        "CROSSWIND_ONCE": f"{work.key.run_id}/{work.key.work_id}/{launch.carrier.attempt}",
        "TRACEPARENT": traceparent(launch),
    }
    container = _container(AGENT, agent_image(launch.cluster.images), launch.sizes.agent, launch.cluster)
    container |= {
        "command": [RUNNER],
        "env": [{"name": name, "value": environment[name]} for name in sorted(environment)],
        "volumeMounts": [*_shared_mounts(), {"name": "agent-tmp", "mountPath": "/tmp"}],  # noqa: S108  # in the pod
    }
    if runner.credentials_secret:
        container["envFrom"] = [{"secretRef": {"name": runner.credentials_secret}}]
    return container


def _tests(launch: Launch) -> Json:
    image = tests_image(launch.order, launch.cluster.images)
    return _container(TESTS, image, launch.sizes.tests, launch.cluster) | {
        "restartPolicy": "Always",  # a sidecar: it begins before the agent, and ends after it
        "command": [RUNNER, "--hand", HAND_SOCKET],
        "env": [{"name": "TRACEPARENT", "value": traceparent(launch)}],
        "volumeMounts": [*_shared_mounts(), {"name": "tests-tmp", "mountPath": "/tmp"}],  # noqa: S108  # in the pod
    }


def _service(service: ServiceSpec, size: Size, launch: Launch) -> Json:
    """Its root may be written, as databases want; that is gone with the pod."""
    name = f"{SERVICE_PREFIX}{service.name}"
    container = _container(name, service.image, size, launch.cluster) | {
        "restartPolicy": "Always",
        "env": [{"name": key, "value": service.env[key]} for key in sorted(service.env)],
        "volumeMounts": [{"name": f"{name}-tmp", "mountPath": "/tmp"}],  # noqa: S108  # in the pod
    }
    container["securityContext"] = container["securityContext"] | {"readOnlyRootFilesystem": False}
    if service.command:
        container["command"] = list(service.command)
    if service.args:
        container["args"] = list(service.args)
    if service.ports:
        container["ports"] = [{"containerPort": port} for port in service.ports]
    if service.readiness:
        container["startupProbe"] = _probe(service.readiness)
    return container


def _probe(readiness: Readiness) -> Json:
    """Kubernetes begins the next container, in the end the agent, once a sidecar's start-up probe holds."""
    probe: Json = {
        "periodSeconds": readiness.period_seconds,
        "failureThreshold": max(1, readiness.timeout_seconds // readiness.period_seconds),
        "timeoutSeconds": min(10, max(1, readiness.period_seconds)),
    }
    if readiness.http:
        return probe | {"httpGet": {"path": readiness.http.path, "port": readiness.http.port}}
    if readiness.tcp:
        return probe | {"tcpSocket": {"port": readiness.tcp}}
    return probe | {"exec": {"command": list(readiness.command or ())}}


def _container(name: str, image: str, size: Size, cluster: ClusterSpec) -> Json:
    amounts = {"cpu": f"{size.cpu_millis}m", "memory": f"{size.memory_mib}Mi"}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": cluster.images.pull_policy,
        "resources": {"requests": amounts, "limits": dict(amounts)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _shared_mounts() -> list[Json]:
    return [{"name": "work", "mountPath": WORK_MOUNT}, {"name": "hand", "mountPath": f"{HOME}/hand"}]


def _volumes(services: tuple[ServiceSpec, ...]) -> list[Json]:
    small = ["agent-tmp", "tests-tmp", *(f"{SERVICE_PREFIX}{each.name}-tmp" for each in services)]
    return [
        {"name": "work", "emptyDir": {"sizeLimit": f"{WORK_GIB}Gi"}},
        {"name": "hand", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        *({"name": name, "emptyDir": {"sizeLimit": f"{TMP_GIB}Gi"}} for name in small),
    ]


def _services(order: PrepareOrder | ShardOrder | MonitorOrder) -> tuple[ServiceSpec, ...]:
    return order.services if isinstance(order, ShardOrder) else ()
