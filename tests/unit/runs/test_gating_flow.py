"""What the verdict is fed with: quarantine, the history, measured durations, lost shards of a list. In-memory stores."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.resolved import Plan, PlannedPull, PlannedShard
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import BudgetMetric, BudgetSpec, GatesSpec
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.history.model import JobKey, Observation, Outcome, Quarantine, QuarantineMode
from crosswind.runs.identity import case_id
from crosswind.runs.model import RunPurpose, Work
from crosswind.runs.usecases import documents
from tests.fakes.time import START
from tests.unit.runs.results_world import RUN, World, job, junit, started

JOB = JobKey("demo", "shop", "unit")


@pytest.fixture
def world() -> World:
    return World()


def quarantine(name: str, *, days: int = 7, mode: QuarantineMode = QuarantineMode.MUTE) -> Quarantine:
    return Quarantine(
        team="demo",
        suite="shop",
        test="unit",
        name=f"t.py::{name}",
        mode=mode,
        owner="ada",
        reason="the stub is slow",
        ticket="SHOP-7",
        created_at=START,
        created_by="ada",
        expires_at=START + timedelta(days=days),
    )


def gated(world: World, *ids: str, gates: GatesSpec) -> None:
    world.submit(job(shards=1), gates=gates)
    world.prepare(*ids)
    world.plan(RUN)


def failed_before(world: World, name: str) -> None:
    seen = Observation(
        run_id="run-0",
        at=START - timedelta(days=1),
        outcome=Outcome.FAILED,
        seconds=1.0,
        commit="c0",
        default_branch=True,
    )
    identity = case_id(team="demo", suite="shop", test="unit", variant="", name=f"t.py::{name}")
    world.history.record(JOB, {identity: (f"t.py::{name}", seen)}, now=START)


def test_a_muted_failure_is_reported_and_does_not_gate(world: World) -> None:
    world.quarantines.put(quarantine("a"))
    started(world, "a", "b", shards=1)
    world.run_shard(0, junit("a!", "b"), exit_code=1)
    world.ingest_all()
    run = world.finish()
    assert run.verdict is not None
    assert run.verdict.kind is VerdictKind.PASSED
    assert run.verdict.reason == "1 test passed. 1 test in quarantine failed too and does not count."
    assert (run.muted, run.case_counts["failed"]) == (1, 1)
    [shown] = [
        case
        for case in documents.read_cases(world.artifacts, f"runs/{RUN}/results/pages/00000.ndjson.gz")
        if case.muted
    ]
    assert (
        shown.muted == "Muted by quarantine until 2026-02-07 08:00 UTC, owner ada (SHOP-7): the stub is slow"
    )


def test_an_expired_quarantine_gates_again(world: World) -> None:
    world.quarantines.put(quarantine("a"))
    started(world, "a", "b", shards=1)
    world.clock.advance(timedelta(days=7))
    world.run_shard(0, junit("a!", "b"), exit_code=1)
    world.ingest_all()
    assert world.verdict() == (VerdictKind.FAILED, "1 of 2 tests failed. Failed: t.py::a.")


def test_a_muted_failure_does_not_hold_the_next_stage_back(world: World) -> None:
    world.quarantines.put(quarantine("a"))
    world.submit(job(shards=1), job("api", stage=1, shards=1))
    world.prepare("a", "b")
    world.plan(RUN)
    world.run_shard(0, junit("a!", "b"), exit_code=1)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.PROCEED
    world.clock.advance(timedelta(days=7))
    assert world.close(RUN, stage=0).reason == "Stage 'stage0' did not pass: 1 tests of shard-00000 failed."


def test_only_failures_that_are_new_on_the_default_branch_gate_where_the_suite_says_so(world: World) -> None:
    gated(world, "a", "b", gates=GatesSpec(no_new_failures=True))
    failed_before(world, "a")
    world.run_shard(0, junit("a!", "b"), exit_code=1)
    world.ingest_all()
    kind, reason = world.verdict()
    assert kind is VerdictKind.PASSED
    assert "none is new" in reason


def test_a_new_failure_gates_beside_known_ones(world: World) -> None:
    gated(world, "a", "b", gates=GatesSpec(no_new_failures=True))
    failed_before(world, "a")
    world.run_shard(0, junit("a!", "b!"), exit_code=1)
    world.ingest_all()
    kind, reason = world.verdict()
    assert kind is VerdictKind.FAILED
    assert "1 of them failed before on the default branch" in reason


def test_budgets_are_judged_by_what_was_measured(world: World) -> None:
    budgets = (
        BudgetSpec(metric=BudgetMetric.RUN_DURATION, max="10s"),
        BudgetSpec(metric=BudgetMetric.TEST_MAX, max="2s", test="unit"),
        BudgetSpec(metric=BudgetMetric.TEST_P95, max="2s"),
    )
    gated(world, "a", gates=GatesSpec(budgets=budgets))
    work = world.run_shard(0, junit("a").replace('name="a"', 'name="a" time="3.5"'))
    ended(world, work, after=timedelta(seconds=12))
    world.ingest_all()
    kind, reason = world.verdict()
    assert kind is VerdictKind.FAILED
    for words in (
        "run.duration was 12.0 s",
        "tests.duration.max of test job 'unit' was 3.5 s",
        "tests.duration.p95 was 3.5 s",
    ):
        assert words in reason


def ended(world: World, work: Work, *, after: timedelta) -> None:
    assert work.commit is not None
    world.works.save(work, replace(work, commit=replace(work.commit, at=START + after)))


def pulling(world: World, *ids: str, count: int = 2) -> None:
    """A planned run whose shards pull from one list."""
    started(world, *ids, shards=count)
    plan = documents.read_plan(world.artifacts, RUN)
    assert plan is not None
    shards = plan.stages[0].shards
    pull = PlannedPull(
        pull_id="list",
        test="unit",
        variant="",
        key="k",
        test_ids=tuple(f"t.py::{each}" for each in ids),
        work_ids=tuple(shard.work_id for shard in shards),
        estimate_seconds=1,
    )
    stage = plan.stages[0].model_copy(update={"shards": tuple(map(_without_list, shards))})
    documents.write(
        world.artifacts, f"runs/{RUN}/plan.json", Plan(**{**dict(plan), "stages": (stage,), "pulls": (pull,)})
    )


def _without_list(shard: PlannedShard) -> PlannedShard:
    return shard.model_copy(update={"test_ids": None})


def test_a_lost_runner_whose_batches_the_others_took_over_costs_the_run_nothing(world: World) -> None:
    pulling(world, "a", "b", "c")
    world.run_shard(0, junit("a", "b", "c"))
    world.lose_shard(1)
    world.ingest_all()
    assert world.close(RUN, stage=0).reason == "That was the last stage."
    assert world.verdict() == (VerdictKind.PASSED, "3 tests passed.")


def test_a_list_that_was_not_finished_is_infrastructure_and_names_its_lost_shard(world: World) -> None:
    pulling(world, "a", "b", "c")
    world.run_shard(0, junit("a", "b"))
    world.lose_shard(1)
    world.ingest_all()
    stopped = world.close(RUN, stage=0)
    assert (
        stopped.reason
        == "Stage 'stage0' did not pass: the shards of test job 'unit' report 2 of its 3 tests."
    )
    kind, reason = world.verdict()
    assert kind is VerdictKind.ERROR
    assert "shard-00001 of 'unit' was given up: lease_lost" in reason


def test_shards_that_fail_fast_has_ended_are_no_failure_of_infrastructure(world: World) -> None:
    started(world, "a", "b")
    world.run_shard(0, junit("a!"), exit_code=1)
    ticket = world.tickets()[1]
    world._done(
        ticket.work_id,
        ticket.order,
        outcome=WorkOutcome.CANCELLED,
        reason="fail_fast: tests of shard-00000 failed, and the suite stops then",
    )
    world.ingest_all()
    kind, _ = world.verdict()
    assert kind is VerdictKind.FAILED


def test_a_shard_lost_from_a_list_that_fail_fast_has_ended_does_not_turn_the_run_into_an_error(
    world: World,
) -> None:
    pulling(world, "a", "b", "c", count=3)
    world.run_shard(0, junit("a!"), exit_code=1)
    world.lose_shard(1)
    ended_by = "fail_fast: tests of shard-00000 failed, and the suite stops then"
    ticket = world.tickets()[2]
    world._done(ticket.work_id, ticket.order, outcome=WorkOutcome.CANCELLED, reason=ended_by)
    world.ingest_all()
    assert world.verdict()[0] is VerdictKind.FAILED


def test_a_plan_without_a_run_ends_without_verdict_and_without_event(world: World) -> None:
    started(world, "a")
    world.runs.save(replace(world.runs.get(RUN), purpose=RunPurpose.PLAN))
    run = world.publish(RUN)
    assert (run.state, run.verdict, world.bus.published) == (RunState.FINISHED, None, [])


def test_counts_keep_every_failure_muted_or_not(world: World) -> None:
    world.quarantines.put(quarantine("a"))
    started(world, "a", "b", shards=1)
    world.run_shard(0, junit("a!", "b!"), exit_code=1)
    world.ingest_all()
    run = world.finish()
    assert run.case_counts == {CaseStatus.FAILED.value: 2}
    assert run.verdict is not None
    assert run.verdict.reason.startswith("1 of 2 tests failed. Failed: t.py::b.")
