"""Plans without a run: asked for through the API and read back. Stores in memory, a queue that the test makes up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.permissions import Guard
from crosswind.contracts.plans import CreatePlanRequest, PlanState, PlanView
from crosswind.contracts.requests import RunState
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import ArchiveRef, Discovery
from crosswind.kernel.errors import NotFoundError, ThrottledError
from crosswind.platform.access import decide
from crosswind.runs.admission.model import Capacity, Queue, QueueEntry, Usage
from crosswind.runs.model import RunFailure, RunPurpose, WorkKey
from crosswind.runs.planning.launching import FARGATE
from crosswind.runs.ports import RunFilter
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.discovering import ReadDiscovery
from crosswind.runs.usecases.planning import PlanRun
from crosswind.runs.usecases.previewing import CreatePlan, GetPlan
from crosswind.runs.usecases.reading import FindRun
from tests.fakes import START, MemoryWorkStore, SettableClock
from tests.fakes.history import MemoryHistoryStore, MemoryQuarantineStore
from tests.unit.runs.suites_samples import DIGEST, RUNNER, STRANGER, any_suite
from tests.unit.runs.test_submitting import World as Submitting


class World(Submitting):
    """A submission, PlanRun over what it stored, and the plan as the API shows it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clock = SettableClock()
        self.queue_now: tuple[Queue, Usage, Capacity] | None = (Queue(()), Usage(()), Capacity(slots=4))
        self.create = CreatePlan(self.submit)
        self.get = GetPlan(
            find=FindRun(self.runs, Guard(decide)),
            artifacts=self.artifacts,
            read_queue=self._read_queue,
            clock=self.clock,
        )

    def _read_queue(self) -> tuple[Queue, Usage, Capacity]:
        if self.queue_now is None:
            raise ThrottledError("too many reads")
        return self.queue_now

    def plan(self, run_id: str) -> None:
        """What the execution does, over a discovery of 200 tests that is there."""
        spec = self.resolved(self.runs.get(run_id))
        tests = tuple(
            each.model_copy(update={"prepare_work_id": None, "discovery_key": "d.json"})
            for each in spec.tests
        )
        documents.write(
            self.artifacts, self.runs.get(run_id).spec_key, spec.model_copy(update={"tests": tests})
        )
        found = Discovery(
            preparation="key",
            archive=ArchiveRef(key="sources/demo/x.tar.gz", digest=DIGEST, size=1),
            test_ids=tuple(f"t{number}.py::x" for number in range(200)),
        )
        documents.write(self.artifacts, "d.json", found)

        def no_pause(_: int) -> None:
            """Tests do not wait."""

        discover = ReadDiscovery(
            runs=self.runs,
            works=MemoryWorkStore(),
            artifacts=self.artifacts,
            clock=self.clock,
            pause=no_pause,
            keep_preparations=timedelta(days=7),
        )
        PlanRun(
            runs=self.runs,
            artifacts=self.artifacts,
            history=MemoryHistoryStore(),
            quarantines=MemoryQuarantineStore(),
            discover=discover,
            launching=FARGATE,
            clock=self.clock,
            pause=no_pause,
        )(run_id)


@pytest.fixture
def world() -> World:
    return World()


def asked(world: World, **goal: object) -> str:
    request = CreatePlanRequest.model_validate({"spec": any_suite(), **goal})
    return world.create(request, actor=RUNNER, idempotency_key="k").plan_id


def run_of(plan: str) -> str:
    return plan.replace("plan-", "run-")


def shown(world: World, plan: str) -> PlanView:
    return world.get(plan, actor=RUNNER)


def test_a_plan_is_a_run_that_is_not_listed(world: World) -> None:
    plan = asked(world)
    assert plan.startswith("plan-")
    run = world.runs.get(run_of(plan))
    assert run.purpose is RunPurpose.PLAN
    assert run.run_id in world.executions.started
    assert world.runs.list_runs(RunFilter(team="demo"), limit=10, cursor=None).items == ()
    assert asked(world) == plan


def test_a_plan_that_is_not_made_yet_is_accepted(world: World) -> None:
    view = shown(world, asked(world, target="8m"))
    assert view.state is PlanState.ACCEPTED
    assert view.goal.target_seconds == 480


def test_a_ready_plan_shows_the_curve_the_choice_and_the_start(world: World) -> None:
    plan = asked(world, target="2m")
    world.plan(run_of(plan))
    view = shown(world, plan)
    assert view.state is PlanState.READY
    assert view.tests == 200
    assert view.known_durations == 0
    assert len(view.curve) > 3
    assert view.chosen is not None
    assert view.chosen.p90_seconds <= 120
    assert view.queue is not None
    assert view.queue.reason == "admitted"
    assert view.queue.expected_start is not None


def test_a_full_queue_tells_when_it_would_start(world: World) -> None:
    plan = asked(world)
    world.plan(run_of(plan))
    busy = tuple(
        QueueEntry(
            key=WorkKey("run-other", f"shard-{number:05d}"),
            team="others",
            suite="big",
            priority=Priority.P1,
            concurrency=10,
            enqueued_at=START,
            estimate_seconds=100.0,
            admitted_at=world.clock.now(),
        )
        for number in range(4)
    )
    world.queue_now = (Queue(()), Usage(busy), Capacity(slots=4))
    queue = shown(world, plan).queue
    assert queue is not None
    assert queue.reason == "no_slot"
    assert queue.position == 1


def test_a_queue_that_does_not_answer_keeps_nobody_from_the_plan(world: World) -> None:
    plan = asked(world)
    world.plan(run_of(plan))
    world.queue_now = None
    view = shown(world, plan)
    assert view.state is PlanState.READY
    assert view.queue is None


def test_a_plan_that_ended_without_one_says_why(world: World) -> None:
    plan = asked(world)
    run = world.runs.get(run_of(plan))
    failure = RunFailure("PrepareRun", "infrastructure", "no runner came", START)
    world.runs.save(replace(run, state=RunState.FINISHED, failure=failure))
    view = shown(world, plan)
    assert view.state is PlanState.FAILED
    assert view.reason == "no runner came"


def test_strangers_see_no_plan(world: World) -> None:
    plan = asked(world)
    with pytest.raises(NotFoundError, match="there is no plan"):
        world.get(plan, actor=STRANGER)
