"""JobApi over an API server."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from crosswind.adapters.kubernetes.calls import ApiServer, ExistsError, ExpiredError, MissingError
from crosswind.adapters.kubernetes.facts import JOB_NAME, job_facts
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.jobs import STAGE_LABEL
from crosswind.runs.pods.model import JobFacts
from crosswind.runs.pods.ports import ClusterError

_DELETE = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
_FORBIDDEN_IS_FINE = InfrastructureReason.CLUSTER_REFUSED

Json = dict[str, Any]


@dataclass(frozen=True)
class KubernetesJobs:
    """Jobs and pods of one cluster."""

    server: ApiServer

    def create(self, job: Json) -> bool:
        path = f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/jobs"
        try:
            self.server.call("POST", path, body=job, query={"fieldManager": "crosswind-launcher"})
        except ExistsError:
            return False
        except (MissingError, ExpiredError) as error:
            raise ClusterError(
                str(error), reason=InfrastructureReason.CLUSTER_REFUSED, passing=False
            ) from error
        return True

    def delete(self, namespace: str, name: str) -> bool:
        try:
            self.server.call("DELETE", f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}", body=_DELETE)
        except MissingError:
            return False
        return True

    def jobs(self, stage: str) -> Iterator[JobFacts]:
        """Pods first: of a Job that was made in between, the pods are then not known yet, and it is seen next time."""
        selector = {"labelSelector": f"{STAGE_LABEL}={stage}"}
        nodes = self.node_labels()
        pods: dict[tuple[str, str], list[Json]] = defaultdict(list)
        for pod in self.items("/api/v1/pods", selector):
            metadata = pod["metadata"]
            pods[(metadata["namespace"], metadata.get("labels", {}).get(JOB_NAME, ""))].append(pod)
        why = self.why_no_pod()
        for job in self.items("/apis/batch/v1/jobs", selector):
            own = pods.get((job["metadata"]["namespace"], job["metadata"]["name"]), [])
            yield job_facts(job, own, () if own else why(job), nodes)

    def items(self, path: str, query: Mapping[str, str]) -> Iterator[Json]:
        """Every object of a list."""
        try:
            for page in self.server.pages(path, query=query):
                yield from page.get("items") or ()
        except (ExpiredError, MissingError) as error:
            raise ClusterError(
                f"the list of {path} broke off: {error}",
                reason=InfrastructureReason.CLUSTER_UNREACHABLE,
                passing=True,
            ) from error

    def node_labels(self) -> dict[str, Json]:
        """Labels of nodes by name; nothing where reading nodes is not allowed."""
        try:
            return {
                node["metadata"]["name"]: node["metadata"].get("labels") or {}
                for node in self.items("/api/v1/nodes", {})
            }
        except ClusterError as error:
            if error.passing or error.reason is not _FORBIDDEN_IS_FINE:
                raise
            return {}

    def why_no_pod(self) -> Callable[[Json], Sequence[str]]:
        """Tells of Jobs without pods what happened, which only events tell. Each namespace's are listed once, when first needed."""
        warnings = cache(self._warnings)

        def told(job: Json) -> Sequence[str]:
            if _has_ended(job):
                return ()
            return warnings(job["metadata"]["namespace"]).get(job["metadata"]["name"], ())

        return told

    def _warnings(self, namespace: str) -> dict[str, list[str]]:
        """By Job: why it has no pod, which only events tell. One list, however many Jobs wait."""
        told: dict[str, list[str]] = defaultdict(list)
        selector = {"fieldSelector": "involvedObject.kind=Job,type=Warning"}
        for event in self.items(f"/api/v1/namespaces/{namespace}/events", selector):
            told[event["involvedObject"]["name"]].append(f"{event.get('reason')}: {event.get('message')}")
        return told


def _has_ended(job: Json) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(each.get("status") == "True" for each in conditions)
