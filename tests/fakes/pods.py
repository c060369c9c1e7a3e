"""Pods of runs and a cluster in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from crosswind.contracts.clusters import ClusterSpec
from crosswind.contracts.pods import PodState
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.model import Caretaker, JobFacts, PodRecord
from crosswind.runs.pods.naming import Carrier
from crosswind.runs.pods.ports import ClusterError, ConnectedCluster


class MemoryPodStore:
    """PodStore in memory."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str, int, int], PodRecord] = {}
        self.caretakers: dict[str, Caretaker] = {}

    def get_many(self, carriers: Sequence[Carrier]) -> Sequence[PodRecord]:
        wanted = {_place(carrier) for carrier in carriers}
        return [self.records[place] for place in wanted if place in self.records]

    def put_new(self, record: PodRecord) -> bool:
        known = self.records.get(_place(record.carrier))
        if known is not None and known.state is not PodState.REFUSED and not _follows(record, known):
            return False
        return self.put(record)

    def put(self, record: PodRecord) -> bool:
        known = self.records.get(_place(record.carrier))
        if known is not None and known.carrier.number > record.carrier.number:
            return False
        self.records[_place(record.carrier)] = record
        return True

    def of_run(self, run_id: str) -> Iterable[PodRecord]:
        return [record for place, record in sorted(self.records.items()) if place[0] == run_id]

    def caretaker(self, cluster: str) -> Caretaker | None:
        return self.caretakers.get(cluster)

    def put_caretaker(self, caretaker: Caretaker) -> None:
        self.caretakers[caretaker.cluster] = caretaker


def _place(carrier: Carrier) -> tuple[str, str, int, int]:
    return carrier.key.run_id, carrier.key.work_id, carrier.attempt, carrier.epoch


def _follows(record: PodRecord, known: PodRecord) -> bool:
    return record.carrier.number > known.carrier.number


@dataclass
class MemoryJobs:
    """JobApi in memory. `fault` is raised by every call while it is set."""

    created: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    listed: list[JobFacts] = field(default_factory=list)
    fault: ClusterError | None = None
    calls: int = 0

    def create(self, job: dict[str, Any]) -> bool:
        self._called()
        name = (job["metadata"]["namespace"], job["metadata"]["name"])
        new = name not in self.created
        self.created[name] = job
        return new

    def delete(self, namespace: str, name: str) -> bool:
        self._called()
        self.deleted.append(name)
        return self.created.pop((namespace, name), None) is not None

    def jobs(self, stage: str) -> Iterator[JobFacts]:
        self._called()
        return iter(self.listed)

    def _called(self) -> None:
        self.calls += 1
        if self.fault is not None:
            raise self.fault


@dataclass
class MemoryClusters:
    """Clusters in memory."""

    known: dict[str, ConnectedCluster] = field(default_factory=dict)

    def add(self, name: str, spec: ClusterSpec) -> MemoryJobs:
        """A cluster, and its Jobs."""
        jobs = MemoryJobs()
        self.known[name] = ConnectedCluster(name, spec, jobs)
        return jobs

    def connect(self, name: str) -> ConnectedCluster:
        if name not in self.known:
            raise ClusterError(
                f"there is no cluster {name}", reason=InfrastructureReason.CLUSTER_MISSING, passing=False
            )
        return self.known[name]

    def names(self) -> Sequence[str]:
        return sorted(self.known)
