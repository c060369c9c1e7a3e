"""Experiments beside stages, seen from the run: when they are wanted, what waits for them, which shards were under them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.chaos.lifecycle import ExperimentVerdict
from crosswind.contracts.chaos.lifecycle import RunState as ExperimentState
from crosswind.contracts.events import StageMoved
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.resolved import ResolvedChaos, ResolvedStage
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import WorkKind, WorkOutcome
from crosswind.runs import beside, lifecycle
from crosswind.runs.history.model import JobKey
from crosswind.runs.model import Beside, Commit, Run, Verdict, Work, WorkKey, WorkState
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.recording import RecordHistory
from tests.fakes.samples import make_run, make_work
from tests.fakes.time import START
from tests.unit.runs.results_world import RUN, World, job, junit, started

SECOND = timedelta(seconds=1)
WANTED = Beside(stage=0, experiment="slow-payments", began_at=START, ended_at=START + 60 * SECOND)
INJECTED = replace(
    WANTED,
    experiment_run="exp-1",
    state=ExperimentState.ANALYZED,
    verdict=ExperimentVerdict.HELD,
    injected_at=START + 10 * SECOND,
    removed_at=START + 20 * SECOND,
)


@pytest.fixture
def world() -> World:
    return World()


def shard(first: int | None, last: int | None, **changes: Any) -> Work:
    """A shard that had a slot between these seconds."""
    return replace(
        make_work(),
        state=WorkState.ADMITTED if last is None else WorkState.DONE,
        admitted_at=None if first is None else START + first * SECOND,
        commit=None
        if last is None
        else Commit(outcome=WorkOutcome.COMPLETED, attempt=1, epoch=1, at=START + last * SECOND),
        **changes,
    )


def with_beside(world: World, record: Beside) -> Run:
    run = world.runs.get(RUN)
    return world.runs.save(replace(run, stage_names=("load",), beside=(record,)))


@pytest.mark.parametrize(
    ("work", "is_under"),
    [
        (shard(0, 12), True),
        (shard(15, 18), True),
        (shard(19, 60), True),
        (shard(15, None), True),
        (shard(0, 9), False),
        (shard(21, 60), False),
        (shard(None, 60), False),
        (shard(0, 60, stage=1), False),
        (shard(0, 60, round=2), False),
        (shard(0, 60, kind=WorkKind.PREPARE), False),
    ],
)
def test_a_shard_is_under_chaos_when_a_fault_was_in_while_it_had_a_slot(
    work: Work, *, is_under: bool
) -> None:
    assert beside.under((INJECTED,), work) == ("exp-1" if is_under else None)


def test_a_fault_that_is_not_known_to_be_gone_is_still_in() -> None:
    assert beside.under((replace(INJECTED, removed_at=None),), shard(50, 60)) == "exp-1"


def test_stages_that_are_left_out_want_no_experiment() -> None:
    chaos = ResolvedChaos(experiment="slow-payments", after_seconds=5, parameters={"latency": 800})
    stages = [
        ResolvedStage(name="unit"),
        ResolvedStage(name="load", chaos=chaos),
        ResolvedStage(name="full", chaos=chaos, left_out="`parameters.full == true` does not hold"),
    ]
    assert beside.planned(stages) == (
        Beside(stage=1, experiment="slow-payments", after_seconds=5, parameters={"latency": 800}),
    )


def test_an_experiment_is_due_from_the_first_shard_with_a_runner_after_its_delay() -> None:
    run = make_run(current_stage=0, beside=(Beside(stage=0, experiment="x", after_seconds=30),))
    waiting = make_work()
    assert beside.begun(run, [waiting], now=START) == run
    cancelled = replace(waiting, state=WorkState.DONE)  # it never had a runner
    assert beside.begun(run, [cancelled], now=START) == run
    begun = beside.begun(run, [replace(waiting, state=WorkState.LEASED)], now=START)
    [record] = begun.beside
    assert record.began_at == START
    assert not beside.is_due(record, START + 29 * SECOND)
    assert beside.is_due(record, START + 30 * SECOND)
    [over] = beside.ended(begun, 0, now=START + SECOND).beside
    assert not beside.is_due(over, START + 30 * SECOND)


def test_a_rerun_wants_the_same_experiments_again_and_keeps_what_the_earlier_ones_came_to() -> None:
    run = make_run(
        state=RunState.FINISHED,
        finished_at=START,
        verdict=Verdict(VerdictKind.FAILED, "1 of 1 test failed."),
        beside=(INJECTED,),
    )
    again = lifecycle.reopened(run, plan_key="k", shards=1, stage=0, by="ada", now=START)
    assert again.beside == (INJECTED, Beside(stage=0, experiment="slow-payments", round=2))


def test_the_end_of_a_stage_is_told_until_its_experiment_is_judged(world: World) -> None:
    started(world, "a", shards=1)
    with_beside(world, Beside(stage=0, experiment="slow-payments"))
    world.follow_beside(world.runs.get(RUN), [make_work(state=WorkState.LEASED)])
    world.run_shard(0, junit("a"))
    world.ingest_all()
    going_on = replace(
        world.runs.get(RUN).beside[0], experiment_run="exp-1", state=ExperimentState.MONITORING
    )
    with_beside(world, going_on)
    for _ in range(2):
        answer = world.close(RUN, stage=0)
        assert (answer.outcome, answer.next and answer.next.stage) == (PlanOutcome.WAITING, 0)
    [record] = world.runs.get(RUN).beside
    assert record.ended_at is not None
    with_beside(world, replace(record, state=ExperimentState.ANALYZED, verdict=ExperimentVerdict.ABORTED))
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    told = [event.detail for event in world.bus.published]
    assert [each.to_state for each in told if isinstance(each, StageMoved)] == ["began", "ended", "ended"]
    assert len({event.id for event in world.bus.published}) == 2


def test_no_further_stage_runs_while_faults_may_be_left(world: World) -> None:
    world.submit(job(shards=1), job("api", stage=1, shards=1))
    world.prepare("a")
    world.plan(RUN)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    left = replace(INJECTED, removed_at=None, verdict=None, state=ExperimentState.RECOVERY_UNVERIFIED)
    with_beside(world, left)
    answer = world.close(RUN, stage=0)
    assert answer.outcome is PlanOutcome.STOP
    assert answer.reason == "Experiment 'slow-payments' beside stage 'stage0' is not known to be undone."
    slow = replace(INJECTED, verdict=None, state=ExperimentState.RECOVERY)
    with_beside(world, slow)
    world.clock.advance((beside.PATIENCE + 61 * SECOND).total_seconds())
    assert world.close(RUN, stage=0).outcome is PlanOutcome.PROCEED  # undone, and not judged in time


def test_a_cancelled_run_does_not_wait(world: World) -> None:
    started(world, "a", shards=1)
    run = with_beside(world, replace(INJECTED, ended_at=None, verdict=None, state=ExperimentState.MONITORING))
    world.runs.save(replace(run, cancel_requested_at=START))
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    assert isinstance(world.bus.published[-1].detail, StageMoved)


def ran(world: World, record: Beside, *reports: str) -> tuple[VerdictKind, str]:
    """The verdict of a run of one shard beside an experiment; the shard had its slot from the start on."""
    started(world, *(each.rstrip("!") for each in reports), shards=1)
    work = world.run_shard(0, junit(*reports))
    assert work.commit is not None
    during = replace(work, admitted_at=START, commit=replace(work.commit, at=START + 15 * SECOND))
    world.works.save(work, during)
    world.ingest_all()
    with_beside(world, record)
    return world.verdict()


def test_the_verdict_of_the_run_and_of_the_experiment_are_apart(world: World) -> None:
    falsified = replace(INJECTED, verdict=ExperimentVerdict.FALSIFIED)
    assert ran(world, falsified, "a") == (
        VerdictKind.PASSED,
        "1 test passed. 1 shard of stage 'load' ran under experiment 'slow-payments' (exp-1: falsified).",
    )


def test_tests_without_the_chaos_that_they_were_to_bear_do_not_pass(world: World) -> None:
    blocked = replace(
        INJECTED,
        injected_at=None,
        removed_at=None,
        verdict=ExperimentVerdict.NOT_INJECTED,
        reason="an incident is open",
    )
    assert ran(world, blocked, "a") == (
        VerdictKind.INCONCLUSIVE,
        (
            "No test failed, but not under the chaos that was wanted. Stage 'load' was to run beside experiment "
            "'slow-payments' and no fault was in while its tests ran: an incident is open. 0 shards of stage 'load' "
            "ran under experiment 'slow-payments' (exp-1: not-injected)."
        ),
    )


def test_what_is_not_required_is_told_and_passes(world: World) -> None:
    refused = replace(WANTED, refused=True, required=False, reason="everything is halted")
    kind, _ = ran(world, refused, "a")
    assert kind is VerdictKind.PASSED


def test_failures_under_chaos_are_marked_and_tell_the_history_nothing(world: World) -> None:
    kind, _ = ran(world, INJECTED, "a!", "b")
    assert kind is VerdictKind.FAILED
    cases = list(documents.read_cases(world.artifacts, f"runs/{RUN}/results/pages/00000.ndjson.gz"))
    assert [case.chaos for case in cases] == ["exp-1", "exp-1"]
    record = RecordHistory(world.runs, world.artifacts, world.history, world.clock)
    assert record(RUN) == 2
    seen = world.history.get(JobKey("demo", "shop", "unit"), [case.id for case in cases])
    assert [each.counted for test in seen.values() for each in test.observations] == [False, False]


def test_shards_of_another_run_are_not_looked_at() -> None:
    run = make_run(current_stage=1, beside=(Beside(stage=0, experiment="x"),))
    works = [replace(make_work(), key=WorkKey(run.run_id, "shard-00000"), state=WorkState.LEASED)]
    assert beside.begun(run, works, now=START) == run
