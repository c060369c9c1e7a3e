"""A list kept up by watching: what is told of, and what happens when a watch is silent, ends or expires."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from crosswind.adapters.kubernetes.calls import ApiServer, ExpiredError
from crosswind.adapters.kubernetes.facts import JOB_NAME
from crosswind.adapters.kubernetes.jobs import KubernetesJobs
from crosswind.adapters.kubernetes.reflecting import Reflection
from crosswind.adapters.kubernetes.watching import CURRENT_SECONDS, WatchedJobs
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.ports import ClusterError
from tests.fakes import START, SettableClock

JOBS, PODS, NODES = "/apis/batch/v1/jobs", "/api/v1/pods", "/api/v1/nodes"
EVENTS = "/api/v1/namespaces/crosswind-shop/events"


class PlayedServer(ApiServer):
    """An API server whose lists and watches a test writes."""

    lists: dict[str, list[dict[str, Any]]]
    watches: dict[str, list[list[dict[str, Any]] | Exception]]

    def __init__(self) -> None:
        super().__init__("https://cluster.example")
        object.__setattr__(self, "lists", {JOBS: [], PODS: [], NODES: [], EVENTS: []})
        object.__setattr__(self, "watches", {})
        object.__setattr__(self, "asked", [])

    def pages(self, path: str, *, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        self.asked.append(path)  # type: ignore[attr-defined]  # the class it extends is frozen
        yield {"metadata": {"resourceVersion": "7"}, "items": list(self.lists[path])}

    def watch(self, path: str, *, query: Mapping[str, str], seconds: int) -> Iterator[dict[str, Any]]:
        assert query["resourceVersion"] == "7"
        played = self.watches.get(path) or [[]]
        following = played.pop(0)
        if isinstance(following, Exception):
            raise following
        yield from following


def an_object(name: str, version: int, **labels: str) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "crosswind-shop",
        "resourceVersion": str(version),
        "creationTimestamp": START.isoformat(),
        "labels": labels,
        "managedFields": ["long"],
    }
    return {"metadata": metadata, "spec": {"nodeName": "node-1", "containers": ["long"]}, "status": {}}


def event(kind: str, each: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": each}


@pytest.fixture
def server() -> PlayedServer:
    return PlayedServer()


def reflection(server: PlayedServer, told: list[str], *, keep_gone: bool = False) -> Reflection:
    return Reflection(
        server, PODS, {}, lambda each: told.append(each["metadata"]["name"]), keep_gone=keep_gone
    )


def names(held: Reflection) -> list[str]:
    return [name for _, name in held.objects()]


def test_what_a_watch_tells_is_held_and_told_and_nothing_long_is_kept(server: PlayedServer) -> None:
    told: list[str] = []
    held = reflection(server, told)
    server.lists[PODS] = [an_object("a", 1)]
    changes = [event("BOOKMARK", {}), event("ADDED", an_object("b", 8)), event("DELETED", an_object("a", 9))]
    server.watches[PODS] = [changes]

    held.list_and_watch()

    assert told == ["a", "b", "a"]
    assert names(held) == ["b"]
    kept = held.objects()["crosswind-shop", "b"]
    assert "managedFields" not in kept["metadata"]
    assert kept["spec"] == {"nodeName": "node-1"}


def test_a_silent_watch_is_overcome_by_the_next_list(server: PlayedServer) -> None:
    told: list[str] = []
    held = reflection(server, told)
    server.lists[PODS] = [an_object("same", 1), an_object("changes", 1), an_object("goes", 1)]
    held.list_and_watch()
    told.clear()
    server.lists[PODS] = [an_object("same", 1), an_object("changes", 2), an_object("new", 3)]

    held.list_and_watch()

    assert sorted(told) == ["changes", "goes", "new"]
    assert sorted(names(held)) == ["changes", "new", "same"]


def test_a_pod_that_is_gone_stays_as_it_was_last_until_the_next_list(server: PlayedServer) -> None:
    held = reflection(server, [], keep_gone=True)
    server.watches[PODS] = [[event("ADDED", an_object("a", 8)), event("DELETED", an_object("a", 9))], []]

    held.list_and_watch()
    assert held.objects()["crosswind-shop", "a"]["metadata"]["resourceVersion"] == "9"

    held.list_and_watch()
    assert names(held) == []


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        (ExpiredError("too old"), [0, 0]),
        (ClusterError("away", reason=InfrastructureReason.CLUSTER_UNREACHABLE, passing=True), [0, 0.5]),
    ],
)
def test_whatever_ends_a_watch_it_is_listed_again(
    server: PlayedServer, fault: Exception, waited: list[float]
) -> None:
    held = reflection(server, [])
    server.watches[PODS] = [fault, []]
    pauses: list[float] = []

    class Rounds(Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0)
            return len(pauses) > 2

    held.keep_up(Rounds())

    assert server.asked == [PODS, PODS]  # type: ignore[attr-defined]
    assert pauses[:2] == waited


def test_facts_join_jobs_and_pods_and_ask_why_only_where_a_pod_is_late(server: PlayedServer) -> None:
    clock = SettableClock(START)
    server.lists |= {
        JOBS: [an_object("with", 1), an_object("without", 1)],
        PODS: [an_object("pod", 1, **{JOB_NAME: "with"})],
        NODES: [{"metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "a"}}}],
        EVENTS: [
            {
                "reason": "FailedCreate",
                "message": "exceeded quota",
                "involvedObject": {"name": "without"},
            }
        ],
    }
    watched = WatchedJobs(KubernetesJobs(server), "prod", clock=clock)
    watched.jobs.list_and_watch()
    watched.pods.list_and_watch()

    assert watched.wait(0)
    changed = watched.take()
    assert changed == {("crosswind-shop", "with"), ("crosswind-shop", "without")}
    assert not watched.wait(0)

    (with_pod,) = watched.facts(changed)
    assert with_pod.pods[0].zone == "a"
    assert EVENTS not in server.asked, "a Job that was made just now has no pod yet"  # type: ignore[attr-defined]

    clock.advance(timedelta(seconds=5))
    found = {job.name: job for job in watched.facts(None)}
    assert found["without"].events == ("FailedCreate: exceeded quota",)
    assert server.asked.count(NODES) == 1, "its node was known already"  # type: ignore[attr-defined]


def test_what_was_not_listed_of_late_is_not_current(server: PlayedServer) -> None:
    now = 100.0
    watched = WatchedJobs(KubernetesJobs(server), "prod", monotonic=lambda: now)
    watched.jobs.clock = watched.pods.clock = lambda: now
    assert not watched.is_current()
    watched.jobs.list_and_watch()
    assert not watched.is_current()
    watched.pods.list_and_watch()
    assert watched.is_current()
    now += CURRENT_SECONDS
    assert not watched.is_current()
