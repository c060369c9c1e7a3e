"""ChangingJobs: Jobs and pods of a stage, each kept up by a thread."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from threading import Event, Lock, Thread

from crosswind.adapters.kubernetes.calls import Json
from crosswind.adapters.kubernetes.facts import JOB_NAME, job_facts
from crosswind.adapters.kubernetes.jobs import KubernetesJobs
from crosswind.adapters.kubernetes.reflecting import Reflection
from crosswind.kernel.clock import Clock, SystemClock, from_iso
from crosswind.runs.pods.jobs import STAGE_LABEL
from crosswind.runs.pods.model import JobFacts
from crosswind.runs.pods.ports import JobKey

CURRENT_SECONDS = 75.0
"""A list, a whole watch, and what it takes to notice that a watch is silent."""
WITHOUT_POD = timedelta(seconds=5)
"""So long a Job may be without pods before its events are asked why."""
NODES_SECONDS = 10.0


@dataclass
class WatchedJobs:
    """Of one cluster."""

    api: KubernetesJobs
    stage: str
    clock: Clock = field(default_factory=SystemClock)
    monotonic: Callable[[], float] = time.monotonic
    _changed: set[JobKey] = field(default_factory=set, init=False)
    _news: Event = field(default_factory=Event, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _nodes: Mapping[str, Json] = field(default_factory=dict, init=False)
    _nodes_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        selector = {"labelSelector": f"{STAGE_LABEL}={self.stage}"}
        server = self.api.server
        self.jobs = Reflection(server, "/apis/batch/v1/jobs", selector, self._job_changed)
        self.pods = Reflection(server, "/api/v1/pods", selector, self._pod_changed, keep_gone=True)

    def start(self, stop: Event, run: Callable[[Callable[[], None]], None]) -> None:
        """Begin to keep up. `run` calls what it is given, in a thread, and sees to what that raises."""
        for each in (self.jobs, self.pods):
            Thread(target=run, args=(partial(each.keep_up, stop),), daemon=True, name=each.path).start()

    def wait(self, seconds: float) -> bool:
        return self._news.wait(seconds)

    def take(self) -> frozenset[JobKey]:
        with self._lock:
            self._news.clear()
            taken, self._changed = frozenset(self._changed), set()
        return taken

    def facts(self, wanted: Collection[JobKey] | None) -> Sequence[JobFacts]:
        jobs, pods = self.jobs.objects(), self._pods_by_job()
        names = list(jobs) if wanted is None else [name for name in wanted if name in jobs and pods.get(name)]
        nodes = self._labels_of_nodes(pod for name in names for pod in pods.get(name, ()))
        why = self.api.why_no_pod()
        return [
            job_facts(jobs[name], own, () if own or self._is_young(jobs[name]) else why(jobs[name]), nodes)
            for name in names
            for own in (pods.get(name, []),)
        ]

    def is_current(self) -> bool:
        now = self.monotonic()
        return all(
            each.listed_at is not None and now - each.listed_at < CURRENT_SECONDS
            for each in (self.jobs, self.pods)
        )

    def _job_changed(self, job: Json) -> None:
        self._note(job["metadata"]["namespace"], job["metadata"]["name"])

    def _pod_changed(self, pod: Json) -> None:
        name = (pod["metadata"].get("labels") or {}).get(JOB_NAME)
        if name:
            self._note(pod["metadata"]["namespace"], name)

    def _note(self, namespace: str, job: str) -> None:
        with self._lock:
            self._changed.add((namespace, job))
            self._news.set()

    def _pods_by_job(self) -> dict[JobKey, list[Json]]:
        found: dict[JobKey, list[Json]] = defaultdict(list)
        for pod in self.pods.objects().values():
            metadata = pod["metadata"]
            found[metadata["namespace"], (metadata.get("labels") or {}).get(JOB_NAME, "")].append(pod)
        return found

    def _is_young(self, job: Json) -> bool:
        return self.clock.now() < from_iso(job["metadata"]["creationTimestamp"]) + WITHOUT_POD

    def _labels_of_nodes(self, pods: Iterable[Json]) -> Mapping[str, Json]:
        """Listed again where a pod is on a node that is not known yet, and not all the time."""
        names = {str(pod["spec"]["nodeName"]) for pod in pods if pod["spec"].get("nodeName")}
        now = self.monotonic()
        rested = self._nodes_at is None or now - self._nodes_at >= NODES_SECONDS
        if rested and not names <= self._nodes.keys():
            self._nodes, self._nodes_at = self.api.node_labels(), now
        return self._nodes
