"""CloseStage, JudgeRun, PublishRun and RecordFailure over in-memory stores: stages, cancels, verdicts and their events."""

from dataclasses import replace

import pytest

from crosswind.contracts.events import RunFinished
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.tasks import PlanOutcome, StateError
from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.errors import DependencyError
from crosswind.runs.model import WorkKey
from tests.fakes.samples import make_work
from tests.fakes.time import START
from tests.unit.runs.results_world import RUN, World, job, junit, started


@pytest.fixture
def world() -> World:
    return World()


def test_a_later_stage_runs_only_after_the_one_before_has_passed(world: World) -> None:
    world.submit(job(shards=1), job("api", stage=1, shards=1))
    world.prepare("a")
    first = world.plan(RUN).next
    assert first is not None
    assert first.stage == 0
    world.run_shard(0, junit("a"))
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP  # not ingested yet
    world.ingest_all()
    following = world.close(RUN, stage=0).next
    assert following is not None
    assert following.stage == 1
    recovered = world.plan(RUN).next
    assert recovered is not None
    assert recovered.stage == 1


def test_a_later_stage_that_was_not_run_is_named_in_the_reason(world: World) -> None:
    world.submit(job(shards=1), job("api", stage=1, shards=1))
    world.prepare("a")
    world.plan(RUN)
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    assert world.verdict() == (
        VerdictKind.FAILED,
        "1 of 1 test failed. Failed: t.py::a. Stage 'stage1' (1 test) was not run because of that.",
    )


def test_cancelling_after_a_failure_ends_as_cancelled_and_tells_of_it(world: World) -> None:
    started(world, "a", "b")
    world.run_shard(0, junit("a!"), exit_code=1)
    world.lose_shard(1, outcome=WorkOutcome.CANCELLED)
    world.ingest_all()
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    kind, reason = world.verdict()
    assert kind is VerdictKind.CANCELLED
    assert "1 test had ended, of which 1 failed" in reason


def test_a_cancel_between_the_verdict_and_the_end_still_ends_as_cancelled(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.fold(RUN)
    world.judge(RUN)
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    verdict = world.publish(RUN).verdict
    assert verdict is not None
    assert verdict.kind is VerdictKind.CANCELLED
    assert verdict.reason == "The run was cancelled by ada. Until then: 1 test passed."


def test_a_finished_run_is_published_once(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.finish()
    world.publish(RUN)
    [event] = world.bus.published
    assert isinstance(event.detail, RunFinished)
    assert (event.detail.verdict, event.detail.tests) == ("passed", 1)
    assert world.runs.outbox == {}


def test_an_event_that_could_not_be_sent_stays_and_goes_out_the_next_time(world: World) -> None:
    started(world, "a", shards=1)
    world.bus.fault = DependencyError("the bus is away")
    with pytest.raises(DependencyError):
        world.publish(RUN)
    assert world.runs.get(RUN).state is RunState.FINISHED
    world.bus.fault = None
    world.publish(RUN)
    assert len(world.bus.published) == 1


def test_a_run_that_could_not_be_judged_is_an_error(world: World) -> None:
    started(world, "a", shards=1)
    world.record(RUN, state="JudgeRun", failure=StateError(error="X", cause="y"), ticket=None)
    run = world.publish(RUN)
    assert run.verdict is not None
    assert run.verdict.kind is VerdictKind.ERROR
    assert "JudgeRun gave up: X: y" in run.verdict.reason


def test_a_verdict_is_given_once(world: World) -> None:
    started(world, "a", shards=1)
    first = world.judge(RUN)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.fold(RUN)
    assert world.judge(RUN) == first
    assert first.kind is VerdictKind.INCONCLUSIVE


def test_a_recorded_failure_of_a_shard_gives_it_up_and_answers_its_token(world: World) -> None:
    started(world, "a", shards=1)
    ticket = world.tickets()[0]
    world.works.save(None, make_work(key=WorkKey(RUN, ticket.work_id), token="open"))
    world.record(RUN, state="RunShard", failure=StateError(error="States.Timeout"), ticket=ticket)
    assert world.tokens.answers["open"].outcome is WorkOutcome.ERROR
    kind, reason = world.verdict()
    assert kind is VerdictKind.ERROR
    assert "RunShard: States.Timeout" in reason


def test_a_shard_whose_ingestion_gave_up_is_a_fault(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    ticket = world.tickets()[0]
    world.record(RUN, state="IngestShard", failure=StateError(error="Boom"), ticket=ticket)
    kind, reason = world.verdict()
    assert kind is VerdictKind.INCONCLUSIVE
    assert "IngestShard: Boom" in reason


def test_a_shard_that_was_never_enqueued_fails_the_run_as_infrastructure(world: World) -> None:
    started(world, "a", shards=1)
    world.record(RUN, state="RunShard", failure=StateError(error="Boom"), ticket=world.tickets()[0])
    kind, reason = world.verdict()
    assert kind is VerdictKind.ERROR
    assert "shard-00000 was never enqueued" in reason


def test_the_first_failure_of_a_run_is_the_one_that_is_kept(world: World) -> None:
    world.submit(job())
    world.record(RUN, state="PlanRun", failure=StateError(error="First"), ticket=None)
    world.record(RUN, state="FoldResults", failure=StateError(error="Second"), ticket=None)
    assert world.verdict() == (VerdictKind.ERROR, "PlanRun gave up: First.")
