"""Looking after one cluster from within: what is looked at when, and who looks when that one is silent."""

from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest

from crosswind.contracts.clusters import ClusterSpec
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.attending import EVERYTHING_EVERY, RELIED_ON, TOLD_EVERY, Attendance, is_on_duty
from crosswind.runs.pods.model import JobFacts
from crosswind.runs.pods.naming import carrier_of
from crosswind.runs.pods.ports import ClusterError, JobKey
from crosswind.runs.usecases.attending_cluster import AttendCluster
from crosswind.runs.usecases.observing_pods import ObserveClusters
from tests.fakes import START
from tests.unit.runs.pods.samples import admitted, disrupted, make_job, make_pod, running_pod
from tests.unit.runs.pods.test_launching import World

EVICTED = make_pod("Failed", conditions=(disrupted("EvictionByEvictionAPI"),))


class ToldJobs:
    """ChangingJobs that change when a test says so."""

    def __init__(self) -> None:
        self.held: dict[JobKey, JobFacts] = {}
        self.changed: set[JobKey] = set()
        self.current = True
        self.fault: ClusterError | None = None
        self.asked: list[Collection[JobKey] | None] = []

    def tell(self, job: JobFacts) -> None:
        self.held[job.namespace, job.name] = job
        self.changed.add((job.namespace, job.name))

    def wait(self, seconds: float) -> bool:
        return bool(self.changed)

    def take(self) -> frozenset[JobKey]:
        taken, self.changed = frozenset(self.changed), set()
        return taken

    def facts(self, wanted: Collection[JobKey] | None) -> Sequence[JobFacts]:
        self.asked.append(wanted)
        if self.fault is not None:
            raise self.fault
        return [job for name, job in self.held.items() if wanted is None or name in wanted]

    def is_current(self) -> bool:
        return self.current


class Scene:
    """A controller in cluster `main`, and the Lambda that looks at all."""

    def __init__(self) -> None:
        self.world, self.jobs, self.pauses = World(), ToldJobs(), list[float]()
        cluster = self.world.clusters.connect("main")

        def read_spec() -> ClusterSpec:
            return cluster.spec

        self.attend = AttendCluster(
            "main", read_spec, cluster.api, self.jobs, self.world.observe, self.pauses.append
        )
        self.every = ObserveClusters(
            lambda: iter([cluster]), self.world.observe, "prod", lambda _: self.later(20)
        )

    def later(self, seconds: float) -> None:
        self.world.clock.advance(timedelta(seconds=seconds))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_change_is_looked_at_at_once_and_alone(scene: Scene) -> None:
    first, second = scene.world.admit(0), scene.world.admit(1)
    scene.jobs.tell(make_job(carrier_of(first), running_pod()))
    scene.jobs.tell(make_job(carrier_of(second), running_pod()))
    scene.attend()
    scene.later(1)
    lost = make_job(carrier_of(second), EVICTED)
    scene.jobs.tell(lost)

    seen = scene.attend()

    assert scene.jobs.asked == [None, {(lost.namespace, lost.name)}]
    assert (seen.jobs, seen.lost) == (1, 1)
    assert scene.world.work(1).failures[0].reason == InfrastructureReason.EVICTED.value
    assert scene.pauses == [0.5, 0.5], "what changes together is looked at together"


def test_everything_is_looked_at_now_and_then_because_patience_needs_no_change(scene: Scene) -> None:
    scene.attend()
    scene.later(EVERYTHING_EVERY.total_seconds() - 1)
    scene.attend()
    scene.later(1)
    scene.attend()

    assert scene.jobs.asked == [None, frozenset(), None]


def test_nothing_is_done_from_lists_that_are_old(scene: Scene) -> None:
    scene.world.admit(0)
    scene.jobs.tell(make_job(carrier_of(admitted(7)), running_pod()))
    scene.jobs.current = False

    assert scene.attend().jobs == 0
    assert scene.world.pods.caretaker("main") is None


def test_the_lambda_leaves_an_attended_cluster_alone_and_takes_it_over(scene: Scene) -> None:
    work = scene.world.admit(0)
    job = make_job(carrier_of(work), running_pod())
    scene.jobs.tell(job)
    scene.world.jobs.listed = [job]
    scene.attend()

    scene.later(1)
    seen = scene.every()  # 0, 20 and 40 seconds later: the controller has fallen silent

    assert scene.world.jobs.calls == 1, "it was left alone as long as its caretaker's word counted"
    assert (seen.attended, seen.jobs) == (2, 1)


def test_the_lambda_does_not_wait_beside_an_idle_cluster(scene: Scene) -> None:
    scene.attend()

    seen = scene.every()

    assert (seen.attended, scene.world.jobs.calls) == (0, 0)
    assert scene.world.clock.now() == START


def test_a_caretaker_that_cannot_look_says_nothing_and_tries_again_soon(scene: Scene) -> None:
    scene.attend()
    scene.later(TOLD_EVERY.total_seconds() + 1)
    scene.jobs.fault = ClusterError("away", reason=InfrastructureReason.CLUSTER_UNREACHABLE, passing=True)
    for _ in range(3):
        with pytest.raises(ClusterError):
            scene.attend()
        scene.later(10)
    told = scene.world.pods.caretaker("main")
    assert told is not None
    assert told.until == START + RELIED_ON

    scene.jobs.fault = None
    scene.attend()
    told = scene.world.pods.caretaker("main")
    assert scene.jobs.asked[-1] is None
    assert is_on_duty(told, now=scene.world.clock.now())


def test_both_at_once_do_everything_once(scene: Scene) -> None:
    work = scene.world.admit(0)
    lost = make_job(carrier_of(work), EVICTED)
    scene.jobs.tell(lost)
    scene.world.jobs.listed = [lost]

    scene.every()
    scene.attend()
    scene.every()

    assert len(scene.world.work(0).failures) == 1


def test_patience_ends_with_what_is_due_next() -> None:
    did = Attendance(everything_at=START, told_at=START)

    assert Attendance().patience(START) == pytest.approx(0.1)
    assert did.patience(START) == TOLD_EVERY.total_seconds()
    assert did.patience(START + TOLD_EVERY * 3) == pytest.approx(0.1)
    assert Attendance(everything_at=START, told_at=START, failed=True).patience(START) == 5
