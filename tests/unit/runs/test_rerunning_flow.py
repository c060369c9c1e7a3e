"""Failed tests run again as a further round of the same run, over in-memory stores, from the request to the new verdict."""

from dataclasses import replace
from typing import Any

import pytest

from crosswind.contracts.events import RunFinished
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import StageCondition
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import GetRun
from tests.fakes.time import START
from tests.unit.runs.rerunning_world import Rounds
from tests.unit.runs.results_world import RUN, job, junit


@pytest.fixture
def world() -> Rounds:
    return Rounds()


@pytest.fixture
def failed(world: Rounds) -> Rounds:
    return world.with_failures()


def test_failed_tests_of_all_shards_run_again_in_the_same_run_and_turn_flaky(failed: Rounds) -> None:
    accepted = failed.rerun()
    assert (accepted.execution_id, accepted.round, accepted.tests, accepted.shards) == (RUN, 2, 2, 1)
    assert failed.selections() == [("t.py::b", "t.py::d")]
    assert [ticket.work_id for ticket in failed.tickets()] == ["shard-00002"]
    assert [ticket.round for ticket in failed.tickets()] == [2]
    failed.run_shard(0, junit("b", "d"))
    assert failed.end() == (
        VerdictKind.PASSED,
        "4 tests passed. 2 tests passed only after another try (flaky).",
    )
    flaky = CaseStatus.FLAKY
    assert failed.statuses() == {"a": CaseStatus.PASSED, "b": flaky, "c": CaseStatus.PASSED, "d": flaky}
    assert failed.cases()["b"].message == "boom"


def test_what_the_round_before_came_to_is_kept(failed: Rounds) -> None:
    failed.clock.advance(60)
    failed.rerun()
    view = GetRun(failed.find, failed.works).view(failed.runs.get(RUN), detail=False)
    assert (view.state, view.round, view.verdict, view.finished_at) == (RunState.EXECUTING, 2, None, None)
    [before] = view.rounds
    assert (before.round, before.verdict.kind, before.tests.failed) == (1, VerdictKind.FAILED, 2)
    assert (before.started_at, before.finished_at) == (to_iso(START), to_iso(START))
    assert failed.runs.get(RUN).rerun_by == "ada"


def test_each_round_is_published_under_an_id_of_its_own(failed: Rounds) -> None:
    failed.rerun()
    failed.run_shard(0, junit("b", "d!"), exit_code=1)
    failed.end()
    failed.rerun()
    failed.run_shard(0, junit("d"))
    failed.end()
    events = failed.bus.published
    assert [event.id for event in events] == [
        f"{RUN}.finished",
        f"{RUN}.finished.2",
        f"{RUN}.finished.3",
    ]
    details = [event.detail for event in events if isinstance(event.detail, RunFinished)]
    assert [(detail.round, detail.verdict) for detail in details] == [
        (1, "failed"),
        (2, "failed"),
        (3, "passed"),
    ]


def test_a_late_repetition_of_the_end_of_the_round_before_does_not_end_the_new_one(failed: Rounds) -> None:
    failed.rerun()
    failed.publish(RUN)  # its first call ended the run, and its answer was lost
    run = failed.runs.get(RUN)
    assert (run.state, run.verdict) == (RunState.EXECUTING, None)
    failed.run_shard(0, junit("b", "d"))
    assert failed.end()[0] is VerdictKind.PASSED
    assert [event.id for event in failed.bus.published] == [f"{RUN}.finished", f"{RUN}.finished.2"]


def test_a_rerun_of_a_rerun_takes_only_what_is_still_red(failed: Rounds) -> None:
    failed.rerun()
    failed.run_shard(0, junit("b", "d!"), exit_code=1)
    assert failed.end()[1] == ("1 of 4 tests failed. Failed: t.py::d.")
    failed.rerun()
    assert failed.selections() == [("t.py::d",)]
    assert [ticket.work_id for ticket in failed.tickets()] == ["shard-00003"]


def test_a_lost_shard_is_made_good_by_a_rerun_of_its_tests(world: Rounds) -> None:
    world.begin("a", "b", "c", "d")
    world.run_shard(0, junit("a", "b"))
    world.lose_shard(1)
    assert world.end()[0] is VerdictKind.ERROR
    world.rerun()
    assert world.selections() == [("t.py::c", "t.py::d")]
    world.run_shard(0, junit("c", "d"))
    assert world.end() == (VerdictKind.PASSED, "4 tests passed.")


def test_a_rerun_that_infrastructure_loses_is_an_error_and_can_be_rerun(failed: Rounds) -> None:
    failed.rerun()
    failed.lose_shard(0)
    kind, reason = failed.end()
    assert (kind, failed.statuses()["b"]) == (VerdictKind.ERROR, CaseStatus.FAILED)
    assert "shard-00002" in reason
    failed.rerun()
    failed.run_shard(0, junit("b", "d"))
    assert failed.end()[0] is VerdictKind.PASSED


def test_a_shard_whose_exit_status_contradicts_its_report_runs_again_as_a_whole(world: Rounds) -> None:
    world.begin("a", "b", "c", "d")
    world.run_shard(0, junit("a", "b"), exit_code=3)
    world.run_shard(1, junit("c", "d"))
    assert world.end()[0] is VerdictKind.INCONCLUSIVE
    world.rerun()
    assert world.selections() == [("t.py::a", "t.py::b")]
    world.run_shard(0, junit("a", "b"))
    assert world.end() == (VerdictKind.PASSED, "4 tests passed.")


def test_after_a_timeout_only_what_was_cut_off_runs_again(world: Rounds) -> None:
    world.begin("a", "b", shards=1)
    world.run_shard(0, junit("a"), exit_code=None, timed_out=True)
    assert world.end()[0] is VerdictKind.INCONCLUSIVE
    world.rerun()
    assert world.selections() == [("t.py::b",)]
    world.run_shard(0, junit("b"))
    assert world.end() == (VerdictKind.PASSED, "2 tests passed.")


def test_an_error_outside_of_all_planned_tests_is_over_when_its_shard_ran_well(world: Rounds) -> None:
    world.begin("a", "b", shards=1)
    world.run_shard(0, junit("a", "b", "conftest!"), exit_code=1)
    assert world.end()[0] is VerdictKind.FAILED
    world.rerun()
    assert world.selections() == [("t.py::a", "t.py::b")]
    world.run_shard(0, junit("a", "b"))
    assert world.end() == (VerdictKind.PASSED, "2 tests passed.")


def command(**changes: Any) -> Any:
    return job(framework="command", command="run", **changes)


def found_nothing(world: Rounds) -> None:
    """A preparation of a framework that cannot list its tests."""
    world.prepare()
    work = next(iter(world.works.of_run(RUN)))
    assert work.commit is not None
    key = f"{work.commit.prefix}discovery.json"
    found = documents.read_discovery(world.artifacts, key)
    documents.write(world.artifacts, key, found.model_copy(update={"test_ids": None}))


def test_red_shards_of_a_command_run_again_as_they_were(world: Rounds) -> None:
    world.submit(command(shards=3))
    found_nothing(world)
    world.plan(RUN)
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b", "c!"), exit_code=1)
    world.run_shard(2, junit("d"))
    assert world.end()[0] is VerdictKind.FAILED
    accepted = world.rerun()
    assert (accepted.tests, accepted.shards, accepted.whole_shards) == (0, 1, 1)
    [ticket] = world.tickets()
    order = documents.read_order_of(world.artifacts, ticket)
    assert (order.selection, order.shard_index, order.shard_count) == (None, 1, 3)
    world.run_shard(0, junit("b!", "c"), exit_code=1)
    assert world.end()[0] is VerdictKind.PASSED
    assert world.statuses()["b"] is CaseStatus.FLAKY  # it has passed on this very source


def test_a_stage_that_never_began_runs_once_the_one_before_has_passed(world: Rounds) -> None:
    world.begin("a", stages=(job(shards=1), job("load", stage=1, shards=1)))
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    assert world.finish().verdict is not None
    assert world.rerun().shards == 2
    assert [ticket.work_id for ticket in world.tickets()] == ["shard-00002", "shard-00001"]
    world.run_shard(0, junit("a"))
    world.ingest_all()
    following = world.close(RUN, stage=0).next
    assert following is not None
    assert following.stage == 1
    world.run_shard(1, junit("a"))
    assert world.end()[0] is VerdictKind.PASSED


def test_a_cancelled_run_can_be_carried_on(world: Rounds) -> None:
    world.begin("a", "b")
    world.run_shard(0, junit("a"))
    world.lose_shard(1, outcome=WorkOutcome.CANCELLED)
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    assert world.end()[0] is VerdictKind.CANCELLED
    world.rerun()
    world.run_shard(0, junit("b"))
    assert world.end() == (VerdictKind.PASSED, "2 tests passed.")


def test_a_stage_that_ran_because_of_a_failure_runs_again_although_that_is_made_good(world: Rounds) -> None:
    world.begin("a", stages=(job(shards=1), job("clean-up", stage=1, shards=1)))
    plan = documents.read_plan(world.artifacts, RUN)
    assert plan is not None
    stages = (plan.stages[0], plan.stages[1].model_copy(update={"when": StageCondition.FAILED}))
    documents.write(world.artifacts, f"runs/{RUN}/plan.json", plan.model_copy(update={"stages": stages}))
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.PROCEED
    world.run_shard(1, junit("a!"), exit_code=1)
    world.end()
    world.rerun()
    world.run_shard(0, junit("a"))
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.PROCEED
