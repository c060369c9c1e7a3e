"""Launching and observing over stores in memory: nothing is launched twice, and every refusal becomes a reason."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.pods import PodState
from crosswind.contracts.work import DispatchMessage, WorkOutcome
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Work, WorkState
from crosswind.runs.pods.model import Condition, ContainerFacts, PodFacts
from crosswind.runs.pods.naming import carrier_of
from crosswind.runs.pods.ports import ClusterError
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.launching import LaunchPod, LaunchWork
from crosswind.runs.usecases.leasing import ClaimWork
from crosswind.runs.usecases.observing_pods import ObserveClusters, ObserveJobs
from tests.fakes import (
    START,
    MemoryObjectStore,
    MemoryQueues,
    MemoryTaskTokens,
    MemoryWorkStore,
    SettableClock,
)
from tests.fakes.pods import MemoryClusters, MemoryPodStore
from tests.unit.runs.pods.samples import (
    FARGATE,
    ON_DEMAND,
    admitted,
    disrupted,
    make_cluster,
    make_job,
    make_pod,
    running_pod,
    shard_order,
)


class World:
    """A cluster `main`, a launcher and an observer."""

    def __init__(self) -> None:
        self.works, self.pods, self.queues = MemoryWorkStore(), MemoryPodStore(), MemoryQueues()
        self.clusters, self.clock = MemoryClusters(), SettableClock(START)
        self.jobs = self.clusters.add("main", make_cluster(FARGATE, ON_DEMAND))
        artifacts = MemoryObjectStore()
        order = shard_order().to_wire().encode()
        artifacts.put("orders", order, content_type="application/x-ndjson")
        self.reference = admitted().order.model_copy(
            update={"key": "orders", "offset": 0, "length": len(order)}
        )
        self.change = ChangeWork(
            self.works, PerformEffects(self.queues, MemoryTaskTokens()), pause=lambda _: None
        )
        launch = LaunchPod(self.pods, artifacts, self.clock, "prod", {"CROSSWIND_STAGE": "prod"})
        self.launch = LaunchWork(
            self.works, self.pods, self.clusters, launch, self.change, self.queues, self.clock
        )
        self.observe = ObserveJobs(self.works, self.pods, launch, self.change, self.clock)

    def admit(self, number: int = 0, **changes: Any) -> Work:
        return self.works.save(None, admitted(number, order=self.reference, version=0, **changes))

    def work(self, number: int = 0) -> Work:
        found = self.works.get(admitted(number).key)
        assert found is not None
        return found

    def message(self, number: int = 0, *, attempt: int = 1) -> DispatchMessage:
        key = admitted(number).key
        return DispatchMessage(run_id=key.run_id, work_id=key.work_id, attempt=attempt, cluster="main")

    def look(self) -> None:
        self.observe(self.clusters.connect("main"), self.jobs.listed)


@pytest.fixture
def world() -> World:
    return World()


def test_admitted_work_becomes_a_job_and_a_record_of_where_and_why(world: World) -> None:
    work = world.admit()

    assert world.launch([world.message()]) == []

    ((namespace, name),) = world.jobs.created
    assert (namespace, name) == (f"crosswind-{work.team}", carrier_of(work).job)
    (record,) = world.pods.of_run(work.key.run_id)
    assert record.state is PodState.LAUNCHED
    assert record.placement.startswith("Fargate: ")


def test_a_message_that_comes_twice_is_one_job(world: World) -> None:
    world.admit()
    world.launch([world.message()])
    world.clock.advance(timedelta(seconds=5))

    world.launch([world.message()])

    assert len(world.jobs.created) == 1
    (record,) = world.pods.of_run(world.work().key.run_id)
    assert record.launched_at == START


def test_a_job_that_was_deleted_by_somebody_is_made_again_under_its_name(world: World) -> None:
    world.admit()
    world.launch([world.message()])
    world.jobs.created.clear()

    world.launch([world.message()])

    assert list(world.jobs.created) == [("crosswind-demo", carrier_of(world.work()).job)]


@pytest.mark.parametrize("changes", [{"state": WorkState.WAITING}, {"attempt": 2}, {"cluster": None}])
def test_a_stale_message_launches_nothing(world: World, changes: dict[str, Any]) -> None:
    world.admit(**changes)

    assert world.launch([world.message()]) == []

    assert world.jobs.created == {}


@pytest.mark.parametrize(
    "reason", [InfrastructureReason.CLUSTER_THROTTLED, InfrastructureReason.CLUSTER_QUOTA]
)
def test_what_may_pass_is_tried_later_and_lost_with_its_reason_in_the_end(
    world: World, reason: InfrastructureReason
) -> None:
    world.admit()
    world.jobs.fault = ClusterError("not now", reason=reason, passing=True)

    assert world.launch([world.message()]) == []
    assert len(world.queues.dispatched) == 1
    (record,) = world.pods.of_run(world.work().key.run_id)
    assert (record.state, record.reason) == (PodState.REFUSED, reason.value)

    world.clock.advance(timedelta(minutes=5))
    world.launch([world.message()])
    assert [failure.reason for failure in world.work().failures] == [reason.value]


def test_a_launch_after_a_refusal_replaces_its_record(world: World) -> None:
    world.admit()
    world.jobs.fault = ClusterError("x", reason=InfrastructureReason.CLUSTER_THROTTLED, passing=True)
    world.launch([world.message()])
    world.jobs.fault = None

    world.launch([world.message()])

    (record,) = world.pods.of_run(world.work().key.run_id)
    assert (record.state, record.reason) == (PodState.LAUNCHED, None)


@pytest.mark.parametrize("cluster", ["main", "elsewhere"])
def test_what_no_retry_mends_ends_the_work_with_the_reason(world: World, cluster: str) -> None:
    world.admit(cluster=cluster)
    world.jobs.fault = ClusterError(
        "jobs is forbidden", reason=InfrastructureReason.CLUSTER_REFUSED, passing=False
    )

    assert world.launch([world.message()]) == []

    commit = world.work().commit
    assert commit is not None
    assert commit.outcome is WorkOutcome.ERROR
    assert (commit.reason or "").startswith(("cluster_refused: jobs", "cluster_missing: there is no cluster"))


def test_one_that_fails_keeps_none_of_the_others(world: World) -> None:
    world.admit(0)
    world.admit(1, cluster="elsewhere")
    world.admit(2)

    world.launch([world.message(number) for number in range(3)])

    assert len(world.jobs.created) == 2


def test_a_pod_that_dies_is_told_at_once_and_only_once(world: World) -> None:
    work = world.admit()
    world.launch([world.message()])
    runner = carrier_of(work).runner_id
    claim = ClaimWork(world.change, world.clock)
    assert claim(work.key, attempt=1, runner_id=runner) is not None
    dead = make_pod("Failed", conditions=(disrupted("EvictionByEvictionAPI"),))
    world.jobs.listed = [make_job(carrier_of(work), dead)]

    world.look()
    world.look()

    assert [failure.reason for failure in world.work().failures] == ["evicted"]
    assert world.work().attempt == 2
    (record,) = world.pods.of_run(work.key.run_id)
    assert (record.state, record.reason) == (PodState.FAILED, "evicted")


def test_somebody_elses_lease_is_not_touched_by_a_pod_that_dies(world: World) -> None:
    work = world.admit()
    ClaimWork(world.change, world.clock)(work.key, attempt=1, runner_id="pod/another")
    world.jobs.listed = [make_job(carrier_of(work), make_pod("Failed"))]

    world.look()

    assert world.work().state is WorkState.LEASED


def test_a_pod_that_stays_pending_is_made_again_and_the_old_one_removed(world: World) -> None:
    work = world.admit()
    world.launch([world.message()])
    stuck = make_pod("Pending", conditions=(Condition(type="PodScheduled", status=False, message="no room"),))
    world.jobs.listed = [make_job(carrier_of(work), stuck)]
    world.clock.advance(timedelta(minutes=5))

    world.look()

    assert list(world.jobs.created) == [("crosswind-demo", carrier_of(work, number=1).job)]
    assert world.jobs.deleted == [carrier_of(work).job]
    assert world.work().failures == ()


@pytest.mark.parametrize(
    "pod",
    [
        make_pod("Pending", conditions=(Condition(type="PodScheduled", status=False, message="no room"),)),
        make_pod("Pending", containers=(ContainerFacts(name="tests", waiting="ErrImagePull"),)),
    ],
    ids=["without-a-machine", "without-its-image"],
)
def test_a_pod_whose_agent_has_begun_since_the_list_was_made_is_left_alone(
    world: World, pod: PodFacts
) -> None:
    work = world.admit()
    world.launch([world.message()])
    ClaimWork(world.change, world.clock)(work.key, attempt=1, runner_id=carrier_of(work).runner_id)
    world.jobs.listed = [make_job(carrier_of(work), pod)]
    world.clock.advance(timedelta(minutes=5))

    world.look()

    assert list(world.jobs.created) == [("crosswind-demo", carrier_of(work).job)]
    assert world.jobs.deleted == []
    assert (world.work().state, world.work().failures) == (WorkState.LEASED, ())


def test_of_an_old_and_a_new_message_for_one_piece_of_work_the_new_one_counts(world: World) -> None:
    world.admit(attempt=2)

    assert world.launch([world.message(attempt=2), world.message(attempt=1)]) == []

    assert len(world.jobs.created) == 1


def test_a_replacement_that_died_half_way_is_finished_by_the_next_message(world: World) -> None:
    work = world.admit()
    world.launch([world.message()])
    (record,) = world.pods.of_run(work.key.run_id)
    world.pods.put(replace(record, carrier=carrier_of(work, number=1)))
    world.jobs.listed = [make_job(carrier_of(work), running_pod())]

    world.look()
    world.launch([world.message()])

    assert list(world.jobs.created) == [("crosswind-demo", carrier_of(work, number=1).job)]


def test_orphans_are_removed_and_counted(world: World) -> None:
    world.jobs.listed = [make_job(carrier_of(admitted(7)), running_pod())]

    seen = world.observe(world.clusters.connect("main"), world.jobs.listed)

    assert (seen.orphans, seen.removed) == (1, 1)


def test_the_edition_without_a_controller_looks_again_while_there_are_jobs(world: World) -> None:
    pauses: list[float] = []
    every = ObserveClusters(
        lambda: iter([world.clusters.connect("main")]), world.observe, "prod", pauses.append
    )

    every()
    assert pauses == []

    world.jobs.listed = [make_job(carrier_of(world.admit()), running_pod())]
    assert every().jobs == 3
    assert len(pauses) == 2


def test_a_cluster_that_is_away_does_not_keep_the_others(world: World) -> None:
    other = world.clusters.add("other", make_cluster())
    world.jobs.fault = ClusterError("away", reason=InfrastructureReason.CLUSTER_UNREACHABLE, passing=True)
    clusters = [world.clusters.connect("main"), world.clusters.connect("other")]

    seen = ObserveClusters(lambda: iter(clusters), world.observe, "prod", lambda _: None)()

    assert seen.failed == 1
    assert other.calls == 1
