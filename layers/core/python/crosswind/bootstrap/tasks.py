"""Use cases of the Lambdas that the state machine runs/test-run calls; each made once, at first use."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import stores
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.retry import jittered_pause
from crosswind.settings import TaskSettings

if TYPE_CHECKING:
    from crosswind.contracts.work import ShardOrder
    from crosswind.runs.load.judged import LoadJudged
    from crosswind.runs.model import Work
    from crosswind.runs.usecases.changing import ChangeWork
    from crosswind.runs.usecases.closing import CloseStage, PublishRun, RecordFailure
    from crosswind.runs.usecases.ingesting import IngestShard
    from crosswind.runs.usecases.judging import FoldRun, JudgeRun
    from crosswind.runs.usecases.planning import PlanRun
    from crosswind.runs.usecases.pulling import CommittedBatches
    from crosswind.runs.usecases.recording import RecordHistory

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415

KEEP_PREPARATIONS = timedelta(days=7)
"""How long a good preparation serves later runs. Its archive outlives it: the stage's retention is longer."""


@cache
def plan_run() -> "PlanRun":
    """PlanRun."""
    from crosswind.runs.planning.launching import launching_on
    from crosswind.runs.usecases.discovering import ReadDiscovery
    from crosswind.runs.usecases.planning import PlanRun

    settings = _settings()
    runs, artifacts, clock = stores.run_store(settings), stores.artifacts(settings), SystemClock()
    discover = ReadDiscovery(
        runs=runs,
        works=stores.work_store(settings),
        artifacts=artifacts,
        clock=clock,
        pause=jittered_pause,
        keep_preparations=min(KEEP_PREPARATIONS, timedelta(days=settings.retention_days)),
    )
    return PlanRun(
        runs=runs,
        artifacts=artifacts,
        history=stores.history_store(settings),
        quarantines=stores.quarantine_store(settings),
        discover=discover,
        launching=launching_on(settings.stage),
        clock=clock,
        pause=jittered_pause,
    )


@cache
def ingest_shard() -> "IngestShard":
    """IngestShard, for JUnit XML. With failFast it may answer tokens."""
    from crosswind.adapters.reports.anyformat import AnyReportReader
    from crosswind.runs.usecases.failing_fast import FailRestFast
    from crosswind.runs.usecases.ingesting import IngestShard

    settings = _settings()
    fail_rest = FailRestFast(
        stores.run_store(settings), stores.work_store(settings), _change(), SystemClock(), jittered_pause
    )
    return IngestShard(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        reader=AnyReportReader(),
        committed=committed_batches(),
        fail_rest=fail_rest,
        merge_load=_merge_load,
        pause=jittered_pause,
    )


def _merge_load(work: "Work", order: "ShardOrder") -> "LoadJudged | None":
    """MergeLoad, whose histograms only load jobs pay for."""
    from crosswind.runs.usecases.loading import MergeLoad

    settings = _settings()
    merge = MergeLoad(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        barriers=stores.barrier_store(settings),
    )
    return merge(work, order)


@cache
def committed_batches() -> "CommittedBatches":
    """What a pull shard has done: evidence for IngestShard."""
    from crosswind.runs.usecases.pulling import CommittedBatches

    return CommittedBatches(stores.pull_store(_settings()))


@cache
def close_stage() -> "CloseStage":
    """CloseStage."""
    from crosswind.runs.usecases.closing import CloseStage
    from crosswind.runs.usecases.following import EndBeside

    settings = _settings()
    end_beside = EndBeside(
        runs=stores.run_store(settings),
        bus=stores.event_bus(settings),
        clock=SystemClock(),
        pause=jittered_pause,
    )
    return CloseStage(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        quarantines=stores.quarantine_store(settings),
        end_beside=end_beside,
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def fold_run() -> "FoldRun":
    """FoldRun."""
    from crosswind.runs.usecases.judging import FoldRun
    from crosswind.runs.usecases.pulling import MeasureShortfall, OpenWorkList, TellShortfall

    settings = _settings()
    artifacts = stores.artifacts(settings)
    return FoldRun(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=artifacts,
        quarantines=stores.quarantine_store(settings),
        shortfall=TellShortfall(OpenWorkList(artifacts), MeasureShortfall(stores.pull_store(settings))),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def judge_run() -> "JudgeRun":
    """JudgeRun."""
    from crosswind.runs.usecases.judging import JudgeRun

    settings = _settings()
    return JudgeRun(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        history=stores.history_store(settings),
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
    """RecordFailure: it may answer tokens."""
    from crosswind.runs.usecases.closing import RecordFailure

    settings = _settings()
    return RecordFailure(
        runs=stores.run_store(settings),
        change=_change(),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def record_history() -> "RecordHistory":
    """RecordHistory: no task of the machine, but it works on a run's results as they do."""
    from crosswind.runs.usecases.recording import RecordHistory

    settings = _settings()
    return RecordHistory(
        runs=stores.run_store(settings),
        artifacts=stores.artifacts(settings),
        history=stores.history_store(settings),
        clock=SystemClock(),
    )


@cache
def _change() -> "ChangeWork":
    from crosswind.runs.usecases.changing import ChangeWork, PerformEffects

    settings = _settings()
    perform = PerformEffects(queues=stores.queues(settings), tokens=stores.task_tokens())
    return ChangeWork(works=stores.work_store(settings), perform=perform, pause=jittered_pause)


@cache
def _settings() -> TaskSettings:
    return TaskSettings.from_env()
