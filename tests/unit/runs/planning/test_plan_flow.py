"""PlanRun over in-memory stores: pulled lists, quarantined tests, fallbacks, and plans that run nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.plans import PlanGoal
from crosswind.contracts.requests import RunState
from crosswind.contracts.resolved import Plan, ResolvedStage
from crosswind.contracts.suites import Distribution, StageCondition
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import FailFast, PullList, ShardOrder
from crosswind.kernel.errors import ThrottledError
from crosswind.runs import layout
from crosswind.runs.history.model import JobKey, Observation, Quarantine, QuarantineMode, Timing
from crosswind.runs.identity import case_id
from crosswind.runs.model import RunPurpose
from crosswind.runs.usecases import documents
from tests.fakes.time import START
from tests.unit.runs.results_world import RUN, World, job, started

PULLED = {"distribution": Distribution.AUTO}
JOB = JobKey("demo", "shop", "unit")


@pytest.fixture
def world() -> World:
    return World()


def plan_of(world: World) -> Plan:
    plan = documents.read_plan(world.artifacts, RUN)
    assert plan is not None
    return plan


def orders(world: World) -> list[ShardOrder]:
    return [
        ShardOrder.model_validate_json(
            world.artifacts.get_range(each.order.key, offset=each.order.offset, length=each.order.length)
        )
        for each in world.tickets()
    ]


def measured(world: World, **seconds: float) -> None:
    """Tests `t.py::<name>` that passed before."""
    for name, each in seconds.items():
        node = f"t.py::{name}"
        identity = case_id(team="demo", suite="shop", test="unit", variant="", name=node)
        seen = Observation("run-earlier", START, "p", each, None, default_branch=True)
        world.history.record(JOB, {identity: (node, seen)}, now=START)


def quarantined(
    world: World, name: str, *, lasts: timedelta, mode: QuarantineMode = QuarantineMode.SKIP
) -> None:
    world.quarantines.put(
        Quarantine(
            team="demo",
            suite="shop",
            test="unit",
            name=name,
            mode=mode,
            owner="ada",
            reason="breaks the account",
            ticket="OPS-1",
            created_at=START,
            created_by="ada",
            expires_at=START + lasts,
        )
    )


def only_planned(world: World, *, goal: PlanGoal | None = None, **changes: Any) -> None:
    """A run that is to be planned and not to be run."""
    world.submit(job(**changes), goal=goal or PlanGoal())
    run = world.runs.get(RUN)
    world.runs.save(replace(run, purpose=RunPurpose.PLAN))


def test_pulled_shards_name_the_list_and_the_list_holds_every_test_the_longest_first(world: World) -> None:
    measured(world, a=1, b=30, c=5)
    started(world, "a", "b", "c", **PULLED)
    plan = plan_of(world)
    (pull,) = plan.pulls
    assert [shard.test_ids for stage in plan.stages for shard in stage.shards] == [None, None]
    assert pull.work_ids == tuple(shard.work_id for shard in plan.stages[0].shards)
    assert pull.test_ids == ("t.py::a", "t.py::b", "t.py::c")
    listed = documents.read(world.artifacts, pull.key, PullList)
    assert [unit.test_ids for unit in listed.units] == [("t.py::b",), ("t.py::c",), ("t.py::a",)]
    assert (listed.pull_id, listed.runners, listed.stripes) == (pull.pull_id, 2, 1)
    assert {ticket.pull_id for ticket in world.tickets()} == {pull.pull_id}
    assert all(
        order.pull and order.pull.key == pull.key and order.selection is None for order in orders(world)
    )


def test_the_plan_tells_how_it_came_about(world: World) -> None:
    measured(world, a=4, b=2)
    started(world, "a", "b", "new", **PULLED)
    plan = plan_of(world)
    (told,) = plan.jobs
    assert (told.tests, told.known_durations, told.method, told.shards) == (3, 2, "pull", 2)
    assert told.estimate_seconds == pytest.approx(9.0)
    assert told.shards_reason == "the suite says 2"
    assert plan.expected is not None
    assert 0 < plan.expected.p50_seconds <= plan.expected.p90_seconds
    assert plan.executor == "pool"


def test_equal_inputs_give_equal_bytes(world: World) -> None:
    other = World()
    for each in (world, other):
        measured(each, a=4, b=2)
        started(each, "a", "b", "c", **PULLED)
    assert world.artifacts.objects == other.artifacts.objects
    changed = World()
    measured(changed, a=4, b=3)
    started(changed, "a", "b", "c", **PULLED)
    assert plan_of(changed).inputs_digest != plan_of(world).inputs_digest


def test_tests_in_quarantine_are_listed_and_not_planned_until_it_expires(world: World) -> None:
    quarantined(world, "t.py::b", lasts=timedelta(days=1))
    quarantined(world, "t.py::c", lasts=timedelta(0))
    started(world, "a", "b", "c", **PULLED)
    plan = plan_of(world)
    assert [skip.test_id for skip in plan.skipped] == ["t.py::b"]
    assert "breaks the account" in plan.skipped[0].reason
    assert plan.pulls[0].test_ids == ("t.py::a", "t.py::c")
    assert plan.discovered == 3


def test_a_run_of_which_everything_is_in_quarantine_has_nothing_to_run(world: World) -> None:
    quarantined(world, "t.py::a", lasts=timedelta(days=1))
    world.submit(job())
    world.prepare("a")
    assert world.plan(RUN).outcome is PlanOutcome.STOP
    assert [skip.test_id for skip in plan_of(world).skipped] == ["t.py::a"]


def test_a_history_that_does_not_answer_makes_a_plan_by_count_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(_: JobKey) -> dict[str, Timing]:
        raise ThrottledError("too many reads")

    monkeypatch.setattr(world.history, "timings", throttled)
    started(world, "a", "b", "c")
    (told,) = plan_of(world).jobs
    assert told.method == "by-count"
    assert told.reason == "the durations could not be read: too many reads"


def test_stages_keep_their_conditions_and_what_is_left_out_is_not_even_looked_at(world: World) -> None:
    stages = (
        ResolvedStage(name="off", left_out="its condition does not hold"),
        ResolvedStage(name="mend", when=StageCondition.FAILED),
        ResolvedStage(name="go", fail_fast=True),
    )
    world.submit(
        job("gone", stage=0, prepare_work_id="prepare-00009"),
        job("mend", stage=1),
        job("go", stage=2, shards=1),
        stages=stages,
        stage_names=tuple(stage.name for stage in stages),
    )
    world.prepare("a", "b")
    answer = world.plan(RUN)
    assert answer.next is not None
    assert answer.next.stage == 2
    plan = plan_of(world)
    assert [len(stage.shards) for stage in plan.stages] == [0, 2, 1]
    assert [stage.when for stage in plan.stages] == [each.when for each in stages]
    assert plan.stages[0].left_out == stages[0].left_out
    assert [order.fail_fast for order in orders(world)] == [None, None, FailFast.STAGE]


def test_with_fail_fast_the_shards_of_a_job_know_which_tests_do_not_count(world: World) -> None:
    quarantined(world, "t.py::b", lasts=timedelta(days=1), mode=QuarantineMode.MUTE)
    quarantined(world, "t.py::c", lasts=timedelta(0), mode=QuarantineMode.MUTE)
    world.submit(job(shards=1, fail_fast=True), job("api", shards=1, fail_fast=True), job("web", shards=1))
    world.prepare("a", "b", "c")
    world.plan(RUN)
    assert [order.muted for order in orders(world)] == [("t.py::b",), None, None]


def test_a_recovery_stays_in_the_stage_that_the_run_had_reached(world: World) -> None:
    stages = (ResolvedStage(name="one"), ResolvedStage(name="two", when=StageCondition.FAILED))
    world.submit(
        job(), job("later", stage=1), stages=stages, stage_names=tuple(stage.name for stage in stages)
    )
    world.prepare("a", "b")
    world.plan(RUN)
    run = world.runs.get(RUN)
    world.runs.save(replace(run, current_stage=1))
    answer = world.plan(RUN)
    assert answer.next is not None
    assert answer.next.stage == 1


def test_each_shard_knows_its_place_in_the_matrix(world: World) -> None:
    started(world, "a", "b", matrix_index=1, matrix_count=3)
    assert [
        (
            order.env["CROSSWIND_MATRIX_INDEX"],
            order.env["CROSSWIND_MATRIX_COUNT"],
            order.env["CROSSWIND_INDEX"],
        )
        for order in orders(world)
    ] == [("1", "3", "2"), ("1", "3", "3")]


def test_a_plan_without_a_run_has_a_curve_and_no_shards_and_ends_untold(world: World) -> None:
    measured(world, a=400, b=200, c=100)
    only_planned(world, goal=PlanGoal(target_seconds=500), shards="auto", **PULLED)
    world.prepare("a", "b", "c")
    assert world.plan(RUN).outcome is PlanOutcome.PLANNED
    plan = plan_of(world)
    assert plan.stages == ()
    assert [point.shards for point in plan.curve] == [1, 2, 3]
    assert plan.chosen is not None
    assert plan.chosen.shards == 2
    assert layout.stage_tickets_key(RUN, 0) not in world.artifacts.objects
    ended = world.publish(RUN)
    assert ended.state is RunState.FINISHED
    assert ended.verdict is None
    assert world.bus.published == []


def test_a_plan_of_a_broken_suite_says_why(world: World) -> None:
    only_planned(world)
    world.prepare(errors=("t.py: SyntaxError",))
    assert world.plan(RUN).outcome is PlanOutcome.PLANNED
    assert plan_of(world).failure_kind == "setup"
