"""Use cases of the API's Lambdas; each made once, at first use."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import clients, stores
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.ids import RandomIds
from crosswind.kernel.retry import jittered_pause
from crosswind.platform.access import decide
from crosswind.settings import ControlSettings, SocketAddressSettings

if TYPE_CHECKING:
    from crosswind.runs.usecases.archiving import GetArchive
    from crosswind.runs.usecases.explaining import ExplainRun
    from crosswind.runs.usecases.following_live import WatchRun
    from crosswind.runs.usecases.pausing import PauseRun, ResumeRun
    from crosswind.runs.usecases.previewing import CreatePlan, GetPlan
    from crosswind.runs.usecases.quarantining import DeleteQuarantine, ListQuarantines, PutQuarantine
    from crosswind.runs.usecases.queueing import (
        GetQueue,
        GetTeamQueue,
        PutTeamQueue,
        ReadQueue,
        WhyWaiting,
    )
    from crosswind.runs.usecases.reading import FindRun, GetRun, ListRuns
    from crosswind.runs.usecases.reading_artifacts import ListArtifacts
    from crosswind.runs.usecases.reading_history import GetTestHistory, ListFlaky
    from crosswind.runs.usecases.reading_pods import ListPods
    from crosswind.runs.usecases.reading_results import ListResults, ReadLogs
    from crosswind.runs.usecases.reporting import ReportRun
    from crosswind.runs.usecases.rerunning import RerunRun
    from crosswind.runs.usecases.sources import CreateSource

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415

_GUARD = Guard(decide)


@cache
def create_plan() -> "CreatePlan":
    """CreatePlan."""
    from crosswind.bootstrap import submitting
    from crosswind.runs.usecases.previewing import CreatePlan

    return CreatePlan(submitting.submit_run())


@cache
def get_plan() -> "GetPlan":
    """GetPlan."""
    from crosswind.runs.usecases.previewing import GetPlan

    return GetPlan(
        find=find_run(),
        artifacts=stores.artifacts(_settings()),
        read_queue=read_queue(),
        clock=SystemClock(),
    )


@cache
def find_run() -> "FindRun":
    """FindRun."""
    from crosswind.runs.usecases.reading import FindRun

    return FindRun(runs=stores.run_store(_settings()), guard=_GUARD)


@cache
def get_run() -> "GetRun":
    """GetRun."""
    from crosswind.runs.usecases.reading import GetRun

    return GetRun(find=find_run(), works=stores.work_store(_settings()))


@cache
def pause_run() -> "PauseRun":
    """PauseRun."""
    from crosswind.runs.usecases.pausing import PauseRun

    settings = _settings()
    return PauseRun(
        runs=stores.run_store(settings),
        find=find_run(),
        queue=stores.queue_store(settings),
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def resume_run() -> "ResumeRun":
    """ResumeRun."""
    from crosswind.runs.usecases.pausing import ResumeRun

    settings = _settings()
    return ResumeRun(
        runs=stores.run_store(settings),
        find=find_run(),
        queue=stores.queue_store(settings),
        queues=stores.queues(settings),
        pause=jittered_pause,
    )


@cache
def read_queue() -> "ReadQueue":
    """ReadQueue."""
    from crosswind.runs.usecases.queueing import ReadQueue

    settings = _settings()
    return ReadQueue(queue=stores.queue_store(settings), defaults=stores.default_capacity(settings))


@cache
def why_waiting() -> "WhyWaiting":
    """WhyWaiting."""
    from crosswind.runs.usecases.queueing import WhyWaiting

    return WhyWaiting(queue=stores.queue_store(_settings()), read=read_queue(), clock=SystemClock())


@cache
def rerun_run() -> "RerunRun":
    """RerunRun."""
    from crosswind.runs.usecases.backpressure import RefuseWhenFull
    from crosswind.runs.usecases.rerunning import RerunRun

    settings = _settings()
    return RerunRun(
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        queue=stores.queue_store(settings),
        queues=stores.queues(settings),
        executions=stores.executions(settings),
        find=find_run(),
        refuse_when_full=RefuseWhenFull(
            queue=stores.queue_store(settings), limit=settings.queue_limit, clock=SystemClock()
        ),
        clock=SystemClock(),
        ids=RandomIds(),
        records_last=timedelta(days=settings.retention_days),
    )


@cache
def explain_run() -> "ExplainRun":
    """ExplainRun."""
    from crosswind.runs.usecases.explaining import ExplainRun

    settings = _settings()
    return ExplainRun(
        find=find_run(),
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        history=stores.history_store(settings),
        why_waiting=why_waiting(),
        pods=stores.pod_store(_settings()),
    )


@cache
def get_queue() -> "GetQueue":
    """GetQueue."""
    from crosswind.runs.usecases.queueing import GetQueue

    settings = _settings()
    return GetQueue(
        queue=stores.queue_store(settings),
        defaults=stores.default_capacity(settings),
        guard=_GUARD,
        clock=SystemClock(),
    )


@cache
def get_team_queue() -> "GetTeamQueue":
    """GetTeamQueue."""
    from crosswind.runs.usecases.queueing import GetTeamQueue

    return GetTeamQueue(queue=stores.queue_store(_settings()), guard=_GUARD)


@cache
def put_team_queue() -> "PutTeamQueue":
    """PutTeamQueue."""
    from crosswind.runs.usecases.queueing import PutTeamQueue

    settings = _settings()
    return PutTeamQueue(
        queue=stores.queue_store(settings),
        queues=stores.queues(settings),
        guard=_GUARD,
        clock=SystemClock(),
        pause=jittered_pause,
    )


@cache
def list_runs() -> "ListRuns":
    """ListRuns."""
    from crosswind.runs.usecases.reading import ListRuns

    return ListRuns(runs=stores.run_store(_settings()), guard=_GUARD)


@cache
def list_pods() -> "ListPods":
    """ListPods."""
    from crosswind.runs.usecases.reading_pods import ListPods

    settings = _settings()
    return ListPods(find=find_run(), pods=stores.pod_store(settings), works=stores.work_store(settings))


@cache
def list_results() -> "ListResults":
    """ListResults."""
    from crosswind.runs.usecases.reading_results import ListResults

    settings = _settings()
    return ListResults(find=find_run(), runs=stores.run_store(settings), artifacts=stores.artifacts(settings))


@cache
def get_archive() -> "GetArchive":
    """GetArchive."""
    from crosswind.adapters.aws.queues import ArchiveQueue
    from crosswind.runs.usecases.archiving import GetArchive
    from crosswind.settings import ArchiveSettings

    settings = ArchiveSettings.from_env()
    return GetArchive(
        find=find_run(),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        order=ArchiveQueue(clients.sqs(), settings.archive_queue_url),
        clock=SystemClock(),
    )


@cache
def list_artifacts() -> "ListArtifacts":
    """ListArtifacts."""
    from crosswind.runs.usecases.reading_artifacts import ListArtifacts

    settings = _settings()
    return ListArtifacts(
        find=find_run(), works=stores.work_store(settings), artifacts=stores.artifacts(settings)
    )


@cache
def get_run_report() -> "ReportRun":
    """ReportRun."""
    from crosswind.runs.usecases.reporting import ReportRun

    settings = _settings()
    return ReportRun(
        get=get_run(),
        runs=stores.run_store(settings),
        works=stores.work_store(settings),
        artifacts=stores.artifacts(settings),
        history=stores.history_store(settings),
        clock=SystemClock(),
    )


@cache
def read_logs() -> "ReadLogs":
    """ReadLogs."""
    from crosswind.runs.usecases.reading_results import ReadLogs

    settings = _settings()
    return ReadLogs(find=find_run(), works=stores.work_store(settings), artifacts=stores.artifacts(settings))


@cache
def create_source() -> "CreateSource":
    """CreateSource."""
    from crosswind.runs.usecases.sources import CreateSource

    settings = _settings()
    return CreateSource(
        sources=stores.sources(settings),
        guard=_GUARD,
        clock=SystemClock(),
        lifetime=timedelta(days=settings.retention_days),
    )


@cache
def list_flaky() -> "ListFlaky":
    """ListFlaky."""
    from crosswind.runs.usecases.reading_history import ListFlaky

    settings = _settings()
    return ListFlaky(
        history=stores.history_store(settings),
        quarantines=stores.quarantine_store(settings),
        guard=_GUARD,
        clock=SystemClock(),
    )


@cache
def get_test_history() -> "GetTestHistory":
    """GetTestHistory."""
    from crosswind.runs.usecases.reading_history import GetTestHistory

    settings = _settings()
    return GetTestHistory(
        history=stores.history_store(settings),
        quarantines=stores.quarantine_store(settings),
        guard=_GUARD,
        clock=SystemClock(),
    )


@cache
def put_quarantine() -> "PutQuarantine":
    """PutQuarantine."""
    from crosswind.runs.usecases.quarantining import PutQuarantine

    settings = _settings()
    return PutQuarantine(
        quarantines=stores.quarantine_store(settings),
        history=stores.history_store(settings),
        guard=_GUARD,
        clock=SystemClock(),
    )


@cache
def watch_live() -> "WatchRun":
    """WatchRun."""
    from crosswind.runs.usecases.following_live import WatchRun

    settings = _settings()
    return WatchRun(
        find=find_run(),
        watches=stores.watch_store(settings),
        clock=SystemClock(),
        socket=SocketAddressSettings.from_env().socket_url or None,
    )


@cache
def list_quarantines() -> "ListQuarantines":
    """ListQuarantines."""
    from crosswind.runs.usecases.quarantining import ListQuarantines

    return ListQuarantines(
        quarantines=stores.quarantine_store(_settings()), guard=_GUARD, clock=SystemClock()
    )


@cache
def delete_quarantine() -> "DeleteQuarantine":
    """DeleteQuarantine."""
    from crosswind.runs.usecases.quarantining import DeleteQuarantine

    return DeleteQuarantine(quarantines=stores.quarantine_store(_settings()), guard=_GUARD)


@cache
def _settings() -> ControlSettings:
    return ControlSettings.from_env()
