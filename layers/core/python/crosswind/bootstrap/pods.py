"""Work in pods: launcher, observer and the clusters that they call; each made once, at first use."""

import logging
import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import clients, stores
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.retry import jittered_pause
from crosswind.settings import ClusterCallerSettings, StoreSettings

if TYPE_CHECKING:
    from crosswind.adapters.kubernetes.calls import ApiServer
    from crosswind.adapters.kubernetes.clusters import StoredClusters
    from crosswind.adapters.kubernetes.watching import WatchedJobs
    from crosswind.contracts.clusters import ClusterSpec
    from crosswind.runs.pods.ports import ConnectedCluster
    from crosswind.runs.usecases.attending_cluster import AttendCluster
    from crosswind.runs.usecases.changing import ChangeWork
    from crosswind.runs.usecases.launching import LaunchPod, LaunchWork
    from crosswind.runs.usecases.observing_pods import ObserveClusters, ObserveJobs

_log = logging.getLogger(__name__)

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415


@cache
def launch_work() -> "LaunchWork":
    """LaunchWork."""
    from crosswind.runs.usecases.launching import LaunchWork

    settings = _settings()
    return LaunchWork(
        works=stores.work_store(settings),
        pods=stores.pod_store(settings),
        clusters=clusters(),
        launch=_launch_pod(),
        change=_change(),
        queues=stores.queues(settings),
        clock=SystemClock(),
    )


@cache
def observe_clusters() -> "ObserveClusters":
    """ObserveClusters."""
    from crosswind.runs.usecases.observing_pods import ObserveClusters

    return ObserveClusters(_connect_all, observe_jobs(), _settings().stage, time.sleep)


@cache
def observe_jobs() -> "ObserveJobs":
    """ObserveJobs."""
    from crosswind.runs.usecases.observing_pods import ObserveJobs

    settings = _settings()
    return ObserveJobs(
        works=stores.work_store(settings),
        pods=stores.pod_store(settings),
        launch=_launch_pod(),
        change=_change(),
        clock=SystemClock(),
    )


def watched_jobs(server: "ApiServer") -> "WatchedJobs":
    """The stage's Jobs of the cluster that this process runs in."""
    from crosswind.adapters.kubernetes.jobs import KubernetesJobs
    from crosswind.adapters.kubernetes.watching import WatchedJobs

    return WatchedJobs(KubernetesJobs(server), _settings().stage)


def attend_cluster(name: str, jobs: "WatchedJobs") -> "AttendCluster":
    """AttendCluster, of the cluster that is known by this name."""
    from crosswind.kernel.errors import NotFoundError
    from crosswind.runs.usecases.attending_cluster import AttendCluster
    from crosswind.runs.usecases.clusters import known_cluster

    store = stores.cluster_store(_settings())

    def read_spec() -> "ClusterSpec":
        cluster = known_cluster(store, name)
        if cluster is None:
            raise NotFoundError(
                f"there is no cluster {name}; `crosswind clusters list` has those that are known"
            )
        return cluster.spec

    return AttendCluster(name, read_spec, jobs.api, jobs, observe_jobs(), time.sleep)


@cache
def clusters() -> "StoredClusters":
    """The clusters of the registry."""
    from crosswind.adapters.aws.secrets import SecretsManagerSecrets
    from crosswind.adapters.kubernetes.clusters import StoredClusters
    from crosswind.runs.usecases.clusters import known_cluster, known_clusters

    settings = _settings()
    store = stores.cluster_store(settings)
    secrets = SecretsManagerSecrets(clients.secretsmanager(), settings.stage)
    return StoredClusters(
        read=lambda name: known_cluster(store, name),
        read_all=lambda: known_clusters(store),
        secret=secrets.of_clusters,
        session=clients.aws_session,
    )


def stage() -> str:
    """The deployment's stage."""
    return _settings().stage


def _connect_all() -> Iterator["ConnectedCluster"]:
    """Every cluster that can be connected; one that cannot is told of by its launches."""
    from crosswind.runs.pods.ports import ClusterError

    for name in clusters().names():
        try:
            yield clusters().connect(name)
        except ClusterError as error:
            _log.warning("cluster %s cannot be connected: %s", name, error)


@cache
def _launch_pod() -> "LaunchPod":
    from crosswind.runs.usecases.launching import LaunchPod

    settings = _settings()
    return LaunchPod(
        pods=stores.pod_store(settings),
        artifacts=stores.artifacts(settings),
        clock=SystemClock(),
        stage=settings.stage,
        environment=_runner_environment(settings),
    )


def _runner_environment(settings: ClusterCallerSettings) -> dict[str, str]:
    """What an agent is told of the deployment: RunnerSettings without what its Job adds."""
    names = StoreSettings.__dataclass_fields__
    told = StoreSettings(**{name: getattr(settings, name) for name in names}).to_env()
    return told | {
        "CROSSWIND_LIVE_SECONDS": "1.5",
        "CROSSWIND_QUIET_SECONDS": "30",
        "AWS_REGION": settings.region,
    }


@cache
def _change() -> "ChangeWork":
    from crosswind.runs.usecases.changing import ChangeWork, PerformEffects

    settings = _settings()
    return ChangeWork(
        stores.work_store(settings),
        PerformEffects(queues=stores.queues(settings), tokens=stores.task_tokens()),
        jittered_pause,
    )


@cache
def _settings() -> ClusterCallerSettings:
    return ClusterCallerSettings.from_env()
