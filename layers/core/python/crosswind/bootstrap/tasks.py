"""Use cases of the Lambdas that the state machine runs/test-run calls; each made once, at first use."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import stores
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.retry import jittered_pause
from crosswind.settings import TaskSettings

if TYPE_CHECKING:
    from crosswind.runs.usecases.closing import CloseStage, FoldRun, JudgeRun, PublishRun, RecordFailure
    from crosswind.runs.usecases.ingesting import IngestShard
    from crosswind.runs.usecases.planning import PlanRun

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415

KEEP_PREPARATIONS = timedelta(days=7)
"""How long a good preparation serves later runs. Its archive outlives it: the stage's retention is longer."""


@cache
def plan_run() -> "PlanRun":
    """PlanRun."""
    from crosswind.runs.usecases.planning import PlanRun

    settings = _settings()
    return PlanRun(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        clock=SystemClock(),
        pause=jittered_pause,
        keep_preparations=min(KEEP_PREPARATIONS, timedelta(days=settings.retention_days)),
    )


@cache
def ingest_shard() -> "IngestShard":
    """IngestShard, for JUnit XML."""
    from crosswind.adapters.reports.junit import JUnitReader
    from crosswind.runs.usecases.ingesting import IngestShard

    settings = _settings()
    return IngestShard(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        reader=JUnitReader(),
        pause=jittered_pause,
    )


@cache
def close_stage() -> "CloseStage":
    """CloseStage."""
    from crosswind.runs.usecases.closing import CloseStage

    settings = _settings()
    return CloseStage(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        pause=jittered_pause,
    )


@cache
def fold_run() -> "FoldRun":
    """FoldRun."""
    from crosswind.runs.usecases.closing import FoldRun

    settings = _settings()
    return FoldRun(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        pause=jittered_pause,
    )


@cache
def judge_run() -> "JudgeRun":
    """JudgeRun."""
    from crosswind.runs.usecases.closing import JudgeRun

    settings = _settings()
    return JudgeRun(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        pause=jittered_pause,
    )


@cache
def publish_run() -> "PublishRun":
    """PublishRun."""
    from crosswind.runs.usecases.closing import PublishRun

    settings = _settings()
    return PublishRun(
        runs=stores.run_store(settings),
        bus=stores.event_bus(settings),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def record_failure() -> "RecordFailure":
    """RecordFailure: the one task that may answer tokens."""
    from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
    from crosswind.runs.usecases.closing import RecordFailure

    settings = _settings()
    perform = PerformEffects(queues=stores.queues(settings), tokens=stores.task_tokens())
    return RecordFailure(
        runs=stores.run_store(settings),
        change=ChangeWork(works=stores.work_store(settings), perform=perform, pause=jittered_pause),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def _settings() -> TaskSettings:
    return TaskSettings.from_env()
