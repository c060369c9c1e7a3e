"""What work in pods needs of the world."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crosswind.contracts.clusters import ClusterSpec
from crosswind.kernel.errors import CrosswindError
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.model import Caretaker, JobFacts, PodRecord
from crosswind.runs.pods.naming import Carrier

JobKey = tuple[str, str]
"""Namespace and name."""


class ClusterError(CrosswindError):
    """A cluster did not do what it was asked. `passing` tells whether the same call may succeed later."""

    def __init__(
        self,
        message: str,
        *,
        reason: InfrastructureReason,
        passing: bool,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.passing = passing
        self.retry_after_seconds = retry_after_seconds


class JobApi(Protocol):
    """Jobs and pods of one cluster. Every call is bounded in time, and repeated a few times where that may help."""

    def create(self, job: dict[str, Any]) -> bool:
        """Create a Job; False when one of that name is there already. Raises ClusterError."""
        ...

    def delete(self, namespace: str, name: str) -> bool:
        """Delete a Job with its pods; False when it is gone already. Raises ClusterError."""
        ...

    def jobs(self, stage: str) -> Iterator[JobFacts]:
        """Every Job of the stage with its pods, listed page by page. Raises ClusterError."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectedCluster:
    """A cluster that can be called."""

    name: str
    spec: ClusterSpec
    api: JobApi


class Clusters(Protocol):
    """Clusters by name."""

    def connect(self, name: str) -> ConnectedCluster:
        """Raises ClusterError: it is not known, or its credentials cannot be had."""
        ...

    def names(self) -> Sequence[str]:
        """All that pods of tests may run on."""
        ...


class PodStore(Protocol):
    """What is kept of the pods of runs: one record for each launch of an attempt."""

    def get_many(self, carriers: Sequence[Carrier]) -> Sequence[PodRecord]:
        """The records of launches, whatever their numbers, in no order."""
        ...

    def put_new(self, record: PodRecord) -> bool:
        """Keep a launch; False where it was kept before, unless the cluster had refused it then."""
        ...

    def put(self, record: PodRecord) -> bool:
        """Keep what is known of one now; False where another pod has taken its place."""
        ...

    def of_run(self, run_id: str) -> Iterable[PodRecord]:
        """All of a run, by work and attempt."""
        ...

    def caretaker(self, cluster: str) -> Caretaker | None:
        """The controller that told last that it looks after a cluster, however long ago."""
        ...

    def put_caretaker(self, caretaker: Caretaker) -> None:
        """Tell that one does."""
        ...


class ChangingJobs(Protocol):
    """Jobs and pods of one cluster, kept up by list and watch."""

    def wait(self, seconds: float) -> bool:
        """Until something has changed, `seconds` at most. Whether it has."""
        ...

    def take(self) -> frozenset[JobKey]:
        """The Jobs that have changed since the last call, by themselves or by their pods."""
        ...

    def facts(self, wanted: Collection[JobKey] | None) -> Sequence[JobFacts]:
        """Those of `wanted` that are there and have pods; or all, with why they have none. Raises ClusterError."""
        ...

    def is_current(self) -> bool:
        """Whether everything was listed within the last minute or so."""
        ...
