"""A run that a worker closes, without an execution, loses no committed result."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.tasks import FoldRunAnswer
from crosswind.runs import layout, lifecycle
from crosswind.runs.model import MAX_RECOVERIES
from crosswind.runs.ports import ExecutionStatus
from crosswind.runs.usecases.cancelling import EndWork
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.finishing import TIME_FOR_INGESTING, FinishRun
from crosswind.runs.usecases.judging import FoldRun
from crosswind.runs.usecases.recovery import RecoverRun, Recovery
from tests.fakes import MemoryExecutions, MemoryQueues, SettableClock
from tests.unit.runs.results_world import RUN, World, junit, no_pause, started


class SlowClock(SettableClock):
    """Every look at it takes as long as a call may ingest."""

    def now(self) -> datetime:
        return self.advance(TIME_FOR_INGESTING)


@pytest.fixture
def world() -> World:
    return started(World(), "a", "b", "c")


def finishing(world: World, clock: SettableClock | None = None) -> FinishRun:
    return FinishRun(
        runs=world.runs,
        works=world.works,
        ingest=world.ingest,
        fold=world.fold,
        judge=world.judge,
        publish=world.publish,
        record_failure=world.record,
        clock=clock or world.clock,
    )


def recovering(world: World, clock: SettableClock | None = None) -> RecoverRun:
    change = ChangeWork(
        works=world.works, perform=PerformEffects(queues=MemoryQueues(), tokens=world.tokens), pause=no_pause
    )
    executions = MemoryExecutions()
    executions.end(f"{RUN}-r{MAX_RECOVERIES}", ExecutionStatus.ENDED)
    run = world.runs.get(RUN)
    world.runs.save(replace(run, execution=f"{RUN}-r{MAX_RECOVERIES}", recoveries=MAX_RECOVERIES))
    return RecoverRun(
        runs=world.runs,
        executions=executions,
        artifacts=world.artifacts,
        end_work=EndWork(world.works, change, world.clock),
        close_run=finishing(world, clock),
        clock=world.clock,
        pause=no_pause,
    )


def test_committed_shards_that_were_never_read_are_read_before_the_run_is_closed(world: World) -> None:
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.run_shard(1, junit("b!", "c"), exit_code=1)
    assert recovering(world)(RUN) is Recovery.CLOSED
    run = world.runs.get(RUN)
    assert run.state is RunState.FINISHED
    assert run.case_counts == {"passed": 2, "failed": 1}
    assert [case.name for case in world.runs.failures(RUN)] == ["t.py::b"]


def test_where_time_runs_out_the_next_turn_goes_on(world: World) -> None:
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b", "c"))
    assert recovering(world, SlowClock())(RUN) is Recovery.CLOSING
    assert world.runs.get(RUN).state is not RunState.FINISHED
    assert recovering(world)(RUN) is Recovery.CLOSED
    assert world.runs.get(RUN).case_counts == {"passed": 3}


def test_a_run_long_overdue_is_closed_with_what_is_known_and_is_not_green(world: World) -> None:
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b", "c"))
    run = world.runs.get(RUN)
    world.clock.set(
        lifecycle.deadline(run) + lifecycle.GRACE + lifecycle.TIME_FOR_CLOSING - timedelta(seconds=1)
    )
    recover = recovering(world, SlowClock())
    assert recover(RUN) is Recovery.CLOSING
    world.clock.advance(1)
    assert recover(RUN) is Recovery.CLOSED
    verdict = world.runs.get(RUN).verdict
    assert verdict is not None
    assert verdict.kind is VerdictKind.ERROR


def test_a_shard_that_cannot_be_read_does_not_keep_the_run_open(world: World) -> None:
    world.run_shard(0, junit("a"))
    work = world.run_shard(1, junit("b", "c"))
    del world.artifacts.objects[work.order.key]
    assert finishing(world)(RUN, at_last=False)
    assert world.runs.get(RUN).state is RunState.FINISHED


@pytest.mark.parametrize("gone", ["spec", "cases"])
def test_a_run_whose_objects_expired_is_closed_as_an_error_and_not_left_open(world: World, gone: str) -> None:
    world.run_shard(0, junit("a"))
    work = world.run_shard(1, junit("b", "c"))
    world.ingest_all()
    prefix = work.commit.prefix if work.commit else None
    key = world.runs.get(RUN).spec_key if gone == "spec" else layout.cases_key(prefix or "")
    del world.artifacts.objects[key]
    assert recovering(world)(RUN) is Recovery.CLOSED
    run = world.runs.get(RUN)
    assert run.state is RunState.FINISHED
    assert run.verdict is not None
    assert run.verdict.kind is VerdictKind.ERROR


def test_a_run_over_whose_results_workers_die_is_published_unjudged_in_the_end(world: World) -> None:
    class DyingError(BaseException):
        """The worker is killed: nothing after it runs."""

    class Deadly(FoldRun):
        def __call__(self, run_id: str) -> FoldRunAnswer:
            raise DyingError

    deadly = Deadly(**vars(world.fold))
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b", "c"))
    recover = recovering(world)
    recover = replace(recover, close_run=replace(finishing(world), fold=deadly))
    world.clock.set(lifecycle.deadline(world.runs.get(RUN)) + lifecycle.GRACE + lifecycle.TIME_FOR_CLOSING)
    with pytest.raises(DyingError):
        recover(RUN)
    world.clock.advance(lifecycle.TIME_FOR_CLOSING)
    assert recover(RUN) is Recovery.CLOSED
    run = world.runs.get(RUN)
    assert run.state is RunState.FINISHED
    assert run.verdict is not None
    assert run.verdict.kind is VerdictKind.ERROR


def test_results_that_cannot_be_put_together_are_never_green(world: World) -> None:
    world.run_shard(0, junit("a"))
    work = world.run_shard(1, junit("b", "c"))
    world.ingest_all()
    world.fold(RUN)
    del world.artifacts.objects[layout.cases_key((work.commit.prefix if work.commit else None) or "")]
    assert finishing(world)(RUN, at_last=False)
    verdict = world.runs.get(RUN).verdict
    assert verdict is not None
    assert verdict.kind is VerdictKind.ERROR
    assert "FoldResults gave up: NotFoundError" in verdict.reason


def test_only_at_last_does_an_unforeseen_fault_of_folding_end_the_run(world: World) -> None:
    world.run_shard(0, junit("a"))
    work = world.run_shard(1, junit("b", "c"))
    world.ingest_all()
    key = layout.cases_key((work.commit.prefix if work.commit else None) or "")
    world.artifacts.put(key, b"no gzip")
    with pytest.raises(OSError, match="gzip"):
        finishing(world)(RUN, at_last=False)
    assert finishing(world)(RUN, at_last=True)
    verdict = world.runs.get(RUN).verdict
    assert verdict is not None
    assert verdict.kind is VerdictKind.ERROR
