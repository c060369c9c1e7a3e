"""Use cases of the API's Lambdas; each made once, at first use."""

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import stores
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.ids import RandomIds
from crosswind.platform.access import decide
from crosswind.runs.permissions import Guard
from crosswind.settings import ControlSettings

if TYPE_CHECKING:
    from crosswind.runs.spec_rules import Rules
    from crosswind.runs.usecases.reading import FindRun, GetRun, ListRuns
    from crosswind.runs.usecases.reading_results import ListArtifacts, ListResults, ReadLogs
    from crosswind.runs.usecases.sources import CreateSource
    from crosswind.runs.usecases.submitting import SubmitRun
    from crosswind.runs.usecases.suites import DeleteSuite, GetSuite, ListSuites, PutSuite, ValidateSuite

# Use cases are imported where they are made: a handler pays for the one that it uses.
# ruff: noqa: PLC0415

_GUARD = Guard(decide)


@cache
def submit_run() -> "SubmitRun":
    """SubmitRun."""
    from crosswind.runs.usecases.submitting import SubmitRun

    settings = _settings()
    return SubmitRun(
        runs=stores.run_store(settings),
        suites=stores.suite_store(settings),
        artifacts=stores.artifacts(settings),
        sources=stores.sources(settings),
        queue=stores.queue_store(settings),
        queues=stores.queues(settings),
        executions=stores.executions(settings),
        guard=_GUARD,
        clock=SystemClock(),
        ids=RandomIds(),
        rules=_rules(),
        queue_limit=settings.queue_limit,
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
def list_runs() -> "ListRuns":
    """ListRuns."""
    from crosswind.runs.usecases.reading import ListRuns

    return ListRuns(runs=stores.run_store(_settings()), guard=_GUARD)


@cache
def list_results() -> "ListResults":
    """ListResults."""
    from crosswind.runs.usecases.reading_results import ListResults

    settings = _settings()
    return ListResults(find=find_run(), runs=stores.run_store(settings), artifacts=stores.artifacts(settings))


@cache
def list_artifacts() -> "ListArtifacts":
    """ListArtifacts."""
    from crosswind.runs.usecases.reading_results import ListArtifacts

    settings = _settings()
    return ListArtifacts(
        find=find_run(), works=stores.work_store(settings), artifacts=stores.artifacts(settings)
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
def validate_suite() -> "ValidateSuite":
    """ValidateSuite."""
    from crosswind.runs.usecases.suites import ValidateSuite

    return ValidateSuite(guard=_GUARD, rules=_rules())


@cache
def put_suite() -> "PutSuite":
    """PutSuite."""
    from crosswind.runs.usecases.suites import PutSuite

    return PutSuite(suites=stores.suite_store(_settings()), guard=_GUARD, clock=SystemClock(), rules=_rules())


@cache
def get_suite() -> "GetSuite":
    """GetSuite."""
    from crosswind.runs.usecases.suites import GetSuite

    return GetSuite(suites=stores.suite_store(_settings()), guard=_GUARD)


@cache
def list_suites() -> "ListSuites":
    """ListSuites."""
    from crosswind.runs.usecases.suites import ListSuites

    return ListSuites(suites=stores.suite_store(_settings()), guard=_GUARD)


@cache
def delete_suite() -> "DeleteSuite":
    """DeleteSuite."""
    from crosswind.runs.usecases.suites import DeleteSuite

    return DeleteSuite(suites=stores.suite_store(_settings()), guard=_GUARD)


@cache
def _settings() -> ControlSettings:
    return ControlSettings.from_env()


def _rules() -> "Rules":
    from crosswind.runs.spec_rules import Rules

    return Rules(local=_settings().stage == "local")
