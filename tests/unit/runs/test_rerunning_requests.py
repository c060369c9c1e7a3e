"""Which requests to run again are refused or change nothing, and how a further round recovers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.requests import RerunRequest, RunState
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.kernel.errors import ConflictError, DependencyError, ForbiddenError, NotFoundError
from crosswind.runs import lifecycle
from crosswind.runs.model import RunPurpose
from crosswind.runs.ports import ExecutionStatus
from crosswind.runs.usecases.cancelling import EndWork
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.reading_results import ListResults
from crosswind.runs.usecases.recovery import RecoverRun, Recovery
from tests.fakes import MemoryExecutions
from tests.fakes.time import START
from tests.unit.runs.rerunning_world import AGAIN, Rounds
from tests.unit.runs.results_world import RUN, job, junit, no_pause
from tests.unit.runs.suites_samples import STRANGER, VIEWER
from tests.unit.runs.world import ADA


@pytest.fixture
def world() -> Rounds:
    return Rounds()


@pytest.fixture
def failed(world: Rounds) -> Rounds:
    return world.with_failures()


@pytest.mark.parametrize("errors", [("t.py: SyntaxError: invalid syntax",)])
def test_collection_errors_are_never_run_again(world: Rounds, errors: tuple[str, ...]) -> None:
    world.submit(job())
    world.prepare(errors=errors)
    world.plan(RUN)
    world.finish()
    with pytest.raises(ConflictError, match=r"could not be collected, .* SyntaxError: invalid syntax"):
        world.request(RUN, AGAIN, actor=ADA)
    assert world.runs.get(RUN).round == 1


def test_a_run_with_nothing_red_says_so(world: Rounds) -> None:
    world.begin("a", "b")
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b"))
    world.end()
    with pytest.raises(ConflictError, match=r"no test of .* failed or lacks a result: 2 tests passed\."):
        world.request(RUN, AGAIN, actor=ADA)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": RunState.EXECUTING}, "is still executing"),
        ({"purpose": RunPurpose.PLAN}, "is a plan"),
        ({"round": lifecycle.MOST_ROUNDS}, "which is the most"),
        ({"created_at": START - timedelta(days=30)}, "are kept until"),
    ],
)
def test_a_run_that_cannot_run_again_says_why(failed: Rounds, changes: dict[str, Any], words: str) -> None:
    failed.runs.save(replace(failed.runs.get(RUN), **changes))
    with pytest.raises(ConflictError, match=words):
        failed.request(RUN, AGAIN, actor=ADA)


def test_a_run_that_ended_before_its_tests_were_known_is_submitted_again(world: Rounds) -> None:
    world.submit(job())
    world.finish()
    with pytest.raises(ConflictError, match="before its tests were known"):
        world.request(RUN, AGAIN, actor=ADA)


def test_only_those_who_may_start_runs_run_them_again(failed: Rounds) -> None:
    for actor, refusal in ((STRANGER, NotFoundError), (VIEWER, ForbiddenError)):
        with pytest.raises(refusal):
            failed.request(RUN, AGAIN, actor=actor)


def test_a_repeated_request_that_names_its_round_changes_nothing(failed: Rounds) -> None:
    request = RerunRequest(round=1)
    first = failed.rerun(request)
    again = failed.request(RUN, request, actor=ADA)
    assert again == first.model_copy(update={"repeated": True})
    with pytest.raises(ConflictError, match="is still executing"):
        failed.request(RUN, AGAIN, actor=ADA)


def test_of_two_requests_at_once_one_wins_and_the_others_objects_are_never_read(failed: Rounds) -> None:
    before = failed.runs.get(RUN)
    save = failed.runs.save
    calls: list[Any] = []

    def save_late(run: Any) -> Any:
        if not calls:
            calls.append(run)
            failed.request(RUN, AGAIN, actor=ADA)
        return save(run)

    failed.runs.save = save_late  # type: ignore[method-assign]  # the race itself
    with pytest.raises(ConflictError, match="another rerun of it has begun"):
        failed.request(RUN, AGAIN, actor=ADA)
    run = failed.runs.get(RUN)
    assert (run.round, len(run.round_plans), before.round) == (2, 1, 1)
    assert failed.executions.started.keys() == {f"{RUN}-a2"}


def test_a_run_that_ended_while_it_was_paused_is_not_paused_when_it_runs_again(failed: Rounds) -> None:
    failed.works.queue.pause_run(RUN, until=START + timedelta(days=1))
    failed.runs.save(replace(failed.runs.get(RUN), paused_at=START, paused_by="ada"))
    failed.rerun()
    assert failed.runs.get(RUN).paused_at is None
    assert RUN not in failed.works.queue.rules().paused_runs


def recovering(world: Rounds) -> RecoverRun:
    change = ChangeWork(world.works, PerformEffects(world.queues, world.tokens), no_pause)
    return RecoverRun(
        runs=world.runs,
        executions=world.executions,
        artifacts=world.artifacts,
        end_work=EndWork(world.works, change, world.clock),
        close_run=lambda run_id, *, at_last: True,
        clock=world.clock,
        pause=no_pause,
    )


def test_a_rerun_has_an_execution_and_a_deadline_of_its_own(failed: Rounds) -> None:
    failed.clock.advance(timedelta(hours=5))  # the first round's time is long over
    failed.rerun()
    run = failed.runs.get(RUN)
    assert failed.executions.started == {f"{RUN}-a2": RunExecutionInput(run_id=RUN, preparations=())}
    assert failed.queues.watches[-1][0] == RUN
    assert lifecycle.closed(run, failed.clock.now()) is None
    assert lifecycle.deadline(run) == failed.clock.now() + timedelta(seconds=run.timeout_seconds)


def test_a_rerun_whose_execution_ends_early_is_recovered_under_a_name_that_tells_its_run(
    failed: Rounds,
) -> None:
    failed.rerun()
    failed.executions.end(f"{RUN}-a2")
    recover = recovering(failed)
    assert recover(RUN) is Recovery.STARTED
    assert failed.executions.status(f"{RUN}-a2-r1") is ExecutionStatus.RUNNING
    assert failed.executions.started[f"{RUN}-a2-r1"].preparations == ()
    for name in (RUN, f"{RUN}-r5", f"{RUN}-a2", f"{RUN}-a12-r3"):
        assert lifecycle.run_of_execution(name) == RUN
    assert lifecycle.run_of_execution(f"{RUN}-b2") is None


def test_a_rerun_whose_execution_could_not_be_started_is_started_by_the_sweep(failed: Rounds) -> None:
    class Away(MemoryExecutions):
        def start(self, name: str, payload: RunExecutionInput) -> None:
            raise DependencyError("step functions is away")

    replace(failed.request, executions=Away())(RUN, AGAIN, actor=ADA)
    assert recovering(failed)(RUN) is Recovery.STARTED
    assert f"{RUN}-a2" in failed.executions.started


def test_while_a_rerun_goes_on_the_results_of_the_rounds_before_are_shown_as_not_complete(
    failed: Rounds,
) -> None:
    results = ListResults(failed.find, failed.runs, failed.artifacts)
    every: dict[str, Any] = {"status": None, "limit": 50, "cursor": None, "actor": VIEWER}
    assert results(RUN, **every).complete
    failed.rerun()
    page = results(RUN, **every)
    assert (len(page.items), page.complete) == (4, False)
