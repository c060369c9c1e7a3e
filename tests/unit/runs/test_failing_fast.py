"""Fail-fast over in-memory stores: what the first failed test ends, and what it does not."""

from dataclasses import replace

import pytest

from crosswind.contracts.requests import RunState
from crosswind.contracts.work import FailFast, WorkOutcome
from crosswind.kernel.errors import CrosswindError
from crosswind.runs import failing_fast
from crosswind.runs.model import Commit, WorkState
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.failing_fast import FailRestFast
from tests.fakes import (
    MemoryQueues,
    MemoryQueueStore,
    MemoryRunStore,
    MemoryTaskTokens,
    MemoryWorkStore,
    SettableClock,
    make_run,
    make_work,
)
from tests.fakes.time import START


class Stage:
    """Three shards of `api` and one of `web` in stage 0, one of `load` in stage 1; shard 0 has a failed test."""

    def __init__(self) -> None:
        self.runs = MemoryRunStore()
        self.works = MemoryWorkStore(MemoryQueueStore())
        self.tokens = MemoryTaskTokens()
        change = ChangeWork(self.works, PerformEffects(MemoryQueues(), self.tokens), lambda _: None)
        self.fail_rest = FailRestFast(self.runs, self.works, change, SettableClock(), lambda _: None)
        self.runs.create(make_run(state=RunState.EXECUTING), idempotency=None)
        done = Commit(WorkOutcome.COMPLETED, attempt=1, epoch=1, at=START)
        self.red = self.works.save(None, make_work(0, state=WorkState.DONE, commit=done))
        for number in (1, 2):
            self.works.save(None, make_work(number))
        self.works.save(None, make_work(3, test="web"))
        self.works.save(None, make_work(4, test="load", stage=1))

    def cancelled(self) -> set[int]:
        works = self.works.of_run(self.red.key.run_id)
        return {
            int(work.key.work_id[-5:])
            for work in works
            if work.commit is not None and work.commit.outcome is WorkOutcome.CANCELLED
        }


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_failed_test_ends_the_other_shards_of_its_job(stage: Stage) -> None:
    assert stage.fail_rest(stage.red, FailFast.JOB) == 2
    assert stage.cancelled() == {1, 2}
    assert stage.tokens.answers.keys() == {"token-1", "token-2"}


def test_a_failed_test_ends_the_other_shards_of_its_stage(stage: Stage) -> None:
    stage.fail_rest(stage.red, FailFast.STAGE)
    assert stage.cancelled() == {1, 2, 3}


def test_what_fail_fast_has_ended_says_by_whom_and_is_no_infrastructure(stage: Stage) -> None:
    stage.fail_rest(stage.red, FailFast.JOB)
    ended = stage.works.get(make_work(1).key)
    assert ended is not None
    assert ended.commit is not None
    assert failing_fast.is_ended(ended.commit.reason)
    assert "shard-00000" in (ended.commit.reason or "")
    assert not failing_fast.is_ended("lease_lost: …")
    assert not failing_fast.is_ended(None)


def test_only_the_first_failing_shard_looks_for_the_others_and_may_do_so_again(stage: Stage) -> None:
    stage.fail_rest(stage.red, FailFast.JOB)
    stage.works.save(None, make_work(5))
    other = replace(stage.red, key=make_work(3).key)
    assert stage.fail_rest(other, FailFast.JOB) == 0
    assert stage.fail_rest(stage.red, FailFast.JOB) == 1


def test_work_that_is_enqueued_later_ends_on_arrival(stage: Stage) -> None:
    stage.fail_rest(stage.red, FailFast.JOB)
    run = stage.runs.get(stage.red.key.run_id)
    assert failing_fast.closed(run, stage=0, test="api", work_id="shard-00001") is not None
    assert failing_fast.closed(run, stage=0, test="web", work_id="shard-00003") is None
    assert failing_fast.closed(run, stage=1, test="api", work_id="shard-00004") is None


@pytest.mark.parametrize("mode", list(FailFast))
def test_a_shard_that_fails_while_it_runs_ends_the_others_and_not_itself(
    stage: Stage, mode: FailFast
) -> None:
    running = stage.works.get(make_work(1).key)
    assert running is not None
    stage.fail_rest(running, mode)
    assert stage.cancelled() == ({2} if mode is FailFast.JOB else {2, 3})
    run = stage.runs.get(running.key.run_id)
    assert failing_fast.end(run, running, now=START) is None
    assert failing_fast.closed(run, stage=0, test="api", work_id=running.key.work_id) is None


def test_a_finished_run_is_left_as_it_is(stage: Stage) -> None:
    run = stage.runs.get(stage.red.key.run_id)
    stage.runs.save(replace(run, state=RunState.FINISHED))
    assert stage.fail_rest(stage.red, FailFast.JOB) == 0


def test_a_store_that_fails_is_told(stage: Stage) -> None:
    with pytest.raises(CrosswindError):
        stage.fail_rest(make_work(0, run=9), FailFast.JOB)
