"""Use cases of the background workers: admission, watchdog, sweep, recovery, dead letters. Made at first use."""

import os
import time
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import stores, tasks
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.retry import jittered_pause
from crosswind.runs.usecases.cancelling import CancelRun, EndWork
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.settings import ControlSettings

if TYPE_CHECKING:
    from crosswind.runs.usecases.archiving import BuildArchive
    from crosswind.runs.usecases.finishing import FinishRun
    from crosswind.runs.usecases.recovery import RecoverRun, SweepRuns
    from crosswind.runs.usecases.scheduling import AdmitWork
    from crosswind.runs.usecases.watching import FailDeadLetters, WatchRun

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415

_TICKETS_SIDE_BY_SIDE = 10  # all that one delivery brings


@cache
def admit_work() -> "AdmitWork":
    """Store tickets and give free slots."""
    from crosswind.runs.admission.lanes import Lanes
    from crosswind.runs.usecases.scheduling import AdmitWork, EnqueueWork, RunScheduler

    settings = _settings()
    queue = stores.queue_store(settings)
    schedule = RunScheduler(
        queue=queue,
        works=stores.work_store(settings),
        perform=_perform(),
        queues=stores.queues(settings),
        clock=SystemClock(),
        owner=os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "scheduler"),
        lanes=Lanes(queue),
        defaults=stores.default_capacity(settings),
        pause=time.sleep,
    )
    enqueue = EnqueueWork(
        runs=stores.run_store(settings),
        change=_change(),
        clock=SystemClock(),
        side_by_side=_TICKETS_SIDE_BY_SIDE,
    )
    return AdmitWork(enqueue=enqueue, schedule=schedule)


@cache
def build_archive() -> "BuildArchive":
    """Build a zip of a run's files."""
    from crosswind.runs.usecases.archiving import BuildArchive
    from crosswind.settings import TaskSettings

    return BuildArchive(artifacts=stores.artifacts(TaskSettings.from_env()), clock=SystemClock())


@cache
def cancel_run() -> CancelRun:
    """Cancel a run."""
    from crosswind.bootstrap import api

    return CancelRun(
        runs=stores.run_store(_settings()),
        find=api.find_run(),
        end_work=_end_work(),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def watch_run() -> "WatchRun":
    """Look after a run."""
    from crosswind.runs.usecases.following import FollowBeside
    from crosswind.runs.usecases.pulling import ReturnLapsed
    from crosswind.runs.usecases.watching import WatchRun

    settings = _settings()
    return_lapsed = ReturnLapsed(
        pulls=stores.pull_store(settings), works=stores.work_store(settings), pause=jittered_pause
    )
    return WatchRun(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        queues=stores.queues(settings),
        change=_change(),
        return_lapsed=return_lapsed,
        end_work=_end_work(),
        recover=recover_run(),
        follow_beside=FollowBeside(
            runs=stores.run_store(settings),
            bus=stores.event_bus(settings),
            clock=SystemClock(),
            pause=jittered_pause,
        ),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def recover_run() -> "RecoverRun":
    """Bring a run back whose execution ended."""
    from crosswind.runs.usecases.recovery import RecoverRun

    settings = _settings()
    return RecoverRun(
        runs=stores.run_store(settings),
        executions=stores.executions(settings),
        artifacts=stores.artifacts(settings),
        end_work=_end_work(),
        close_run=_finish_run(),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def sweep_runs() -> "SweepRuns":
    """The backstop of every minute."""
    from crosswind.runs.usecases.recovery import SweepRuns

    settings = _settings()
    return SweepRuns(
        runs=stores.run_store(settings),
        queues=stores.queues(settings),
        bus=stores.event_bus(settings),
        recover=recover_run(),
        clock=SystemClock(),
    )


def stage() -> str:
    """The name of the deployment."""
    return _settings().stage


@cache
def fail_dead_letters() -> "FailDeadLetters":
    """End what the queues gave up."""
    from crosswind.runs.usecases.watching import FailDeadLetters

    return FailDeadLetters(change=_change(), clock=SystemClock())


@cache
def _finish_run() -> "FinishRun":
    from crosswind.runs.usecases.finishing import FinishRun

    return FinishRun(
        runs=stores.run_store(_settings()),
        works=stores.work_store(_settings()),
        ingest=tasks.ingest_shard(),
        fold=tasks.fold_run(),
        judge=tasks.judge_run(),
        publish=tasks.publish_run(),
        record_failure=tasks.record_failure(),
        clock=SystemClock(),
    )


@cache
def _end_work() -> EndWork:
    return EndWork(works=stores.work_store(_settings()), change=_change(), clock=SystemClock())


@cache
def _change() -> ChangeWork:
    return ChangeWork(works=stores.work_store(_settings()), perform=_perform(), pause=jittered_pause)


@cache
def _perform() -> PerformEffects:
    return PerformEffects(queues=stores.queues(_settings()), tokens=stores.task_tokens())


@cache
def _settings() -> ControlSettings:
    return ControlSettings.from_env()
