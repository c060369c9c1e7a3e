"""Use cases of the API's Lambdas of experiments: definitions, reviews, runs; each made at first use."""

from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import chaos_gate, chaos_stores, stores
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.ids import RandomIds
from crosswind.kernel.retry import jittered_pause
from crosswind.platform.access import decide
from crosswind.settings import ChaosControlSettings

if TYPE_CHECKING:
    from crosswind.chaos.ports import ExperimentRunStore, ExperimentStore
    from crosswind.chaos.resolving import Resolve
    from crosswind.chaos.spec_rules import Rules
    from crosswind.chaos.usecases.aborting import AbortExperiment, AbortRun
    from crosswind.chaos.usecases.accompanying import AccompanyRuns
    from crosswind.chaos.usecases.definitions import DeleteExperiment, PutExperiment, ScheduleExperiment
    from crosswind.chaos.usecases.finding import FindExperiment, FindRun
    from crosswind.chaos.usecases.previewing import PreviewExperiment
    from crosswind.chaos.usecases.reading import (
        GetExperiment,
        GetExperimentRun,
        ListExperimentRuns,
        ListExperiments,
        ReadResults,
        ReadTimeline,
        ShowExperiment,
        ShowRun,
    )
    from crosswind.chaos.usecases.reviews import (
        ApproveExperiment,
        ChangeReview,
        RequestChanges,
        SubmitExperiment,
    )
    from crosswind.chaos.usecases.specs import ListTemplates, ValidateExperiment
    from crosswind.chaos.usecases.starting import StartExperiment

# Use cases and adapters are imported where they are made: a handler pays for those that it uses.
# ruff: noqa: PLC0415

_GUARD = Guard(decide)
_CLOCK = SystemClock()


@cache
def put_experiment() -> "PutExperiment":
    """PutExperiment."""
    from crosswind.chaos.usecases.definitions import PutExperiment

    return PutExperiment(
        experiments=_experiments(), guard=_GUARD, rules=rules(), clock=_CLOCK, pause=jittered_pause
    )


@cache
def delete_experiment() -> "DeleteExperiment":
    """DeleteExperiment."""
    from crosswind.chaos.usecases.definitions import DeleteExperiment

    return DeleteExperiment(
        experiments=_experiments(), runs=_runs(), find=_find_experiment(), pause=jittered_pause
    )


@cache
def schedule_experiment() -> "ScheduleExperiment":
    """ScheduleExperiment."""
    from crosswind.chaos.usecases.definitions import ScheduleExperiment

    return ScheduleExperiment(
        experiments=_experiments(), find=_find_experiment(), clock=_CLOCK, pause=jittered_pause
    )


@cache
def submit_experiment() -> "SubmitExperiment":
    """SubmitExperiment."""
    from crosswind.chaos.usecases.reviews import SubmitExperiment

    return SubmitExperiment(change=_change_review(), clock=_CLOCK)


@cache
def approve_experiment() -> "ApproveExperiment":
    """ApproveExperiment."""
    from crosswind.chaos.usecases.reviews import ApproveExperiment

    return ApproveExperiment(
        change=_change_review(),
        resolve=_resolve(),
        policies=chaos_gate.policies(_settings()),
        clock=_CLOCK,
    )


@cache
def request_changes() -> "RequestChanges":
    """RequestChanges."""
    from crosswind.chaos.usecases.reviews import RequestChanges

    return RequestChanges(change=_change_review(), clock=_CLOCK)


@cache
def preview_experiment() -> "PreviewExperiment":
    """PreviewExperiment."""
    from crosswind.chaos.usecases.previewing import PreviewExperiment

    return PreviewExperiment(
        experiments=_experiments(),
        find=_find_experiment(),
        resolve=_resolve(),
        ask_gate=chaos_gate.ask_gate(_settings()),
        policies=chaos_gate.policies(_settings()),
        clock=_CLOCK,
    )


@cache
def start_experiment() -> "StartExperiment":
    """StartExperiment: of the API, and of the workers that start by schedule and event."""
    from crosswind.bootstrap import chaos_workers
    from crosswind.chaos.usecases.starting import StartExperiment

    return StartExperiment(
        experiments=_experiments(),
        runs=_runs(),
        facts=chaos_stores.fact_store(_settings()),
        policies=chaos_gate.policies(_settings()),
        engine=chaos_workers.engine(),
        queues=chaos_workers.chaos_queues(),
        rules=rules(),
        guard=_GUARD,
        clock=_CLOCK,
        ids=RandomIds(),
    )


@cache
def abort_run() -> "AbortRun":
    """AbortRun: of the API and of the halt switch."""
    from crosswind.bootstrap import chaos_workers
    from crosswind.chaos.usecases.aborting import AbortRun

    return AbortRun(
        record=chaos_workers.record_abort(), close_unstarted=chaos_workers.close_unstarted(), runs=_runs()
    )


@cache
def abort_experiment() -> "AbortExperiment":
    """AbortExperiment."""
    from crosswind.chaos.usecases.aborting import AbortExperiment

    return AbortExperiment(runs=_runs(), find=_find_run(), abort=abort_run(), guard=_GUARD)


@cache
def accompany_runs() -> "AccompanyRuns":
    """AccompanyRuns: experiments beside stages of suites' runs, which start and stop as any other."""
    from crosswind.adapters.suite_runs import StoredSuiteRuns
    from crosswind.chaos.usecases.accompanying import AccompanyRuns

    suites = StoredSuiteRuns(runs=stores.run_store(_settings()), clock=_CLOCK, pause=jittered_pause)
    return AccompanyRuns(suites=suites, runs=_runs(), start=start_experiment(), abort=abort_run())


@cache
def get_experiment() -> "GetExperiment":
    """GetExperiment."""
    from crosswind.chaos.usecases.reading import GetExperiment

    return GetExperiment(find=_find_experiment(), show=show_experiment())


@cache
def list_experiments() -> "ListExperiments":
    """ListExperiments."""
    from crosswind.chaos.usecases.reading import ListExperiments

    return ListExperiments(experiments=_experiments(), runs=_runs(), guard=_GUARD)


@cache
def list_experiment_runs() -> "ListExperimentRuns":
    """ListExperimentRuns."""
    from crosswind.chaos.usecases.reading import ListExperimentRuns

    return ListExperimentRuns(runs=_runs(), guard=_GUARD)


@cache
def get_experiment_run() -> "GetExperimentRun":
    """GetExperimentRun."""
    from crosswind.chaos.usecases.reading import GetExperimentRun

    return GetExperimentRun(find=_find_run(), show=show_run())


@cache
def read_timeline() -> "ReadTimeline":
    """ReadTimeline."""
    from crosswind.chaos.usecases.reading import ReadTimeline

    return ReadTimeline(runs=_runs(), find=_find_run())


@cache
def read_results() -> "ReadResults":
    """ReadResults."""
    from crosswind.chaos.usecases.reading import ReadResults

    return ReadResults(runs=_runs(), find=_find_run(), show=show_run(), reports=stores.artifacts(_settings()))


@cache
def validate_experiment() -> "ValidateExperiment":
    """ValidateExperiment."""
    from crosswind.chaos.usecases.specs import ValidateExperiment

    return ValidateExperiment(guard=_GUARD, rules=rules())


@cache
def list_templates() -> "ListTemplates":
    """ListTemplates."""
    from crosswind.bootstrap.providers import providers
    from crosswind.chaos.usecases.specs import ListTemplates

    return ListTemplates(providers(_settings()))


@cache
def show_experiment() -> "ShowExperiment":
    """ShowExperiment."""
    from crosswind.chaos.usecases.reading import ShowExperiment

    return ShowExperiment(
        experiments=_experiments(),
        runs=_runs(),
        policies=chaos_gate.policies(_settings()),
        clock=_CLOCK,
    )


@cache
def show_run() -> "ShowRun":
    """ShowRun."""
    from crosswind.chaos.usecases.reading import ShowRun

    return ShowRun(_runs())


@cache
def rules() -> "Rules":
    """What is checked here of an experiment: with this deployment's providers, policies and own addresses."""
    from crosswind.bootstrap.providers import providers
    from crosswind.chaos.spec_rules import Rules

    settings = _settings()
    return Rules(
        providers=providers(settings),
        policy_of=chaos_gate.policies(settings).spec_of,
        refused=tuple(each for each in settings.refused_addresses.split(",") if each),
    )


@cache
def _change_review() -> "ChangeReview":
    from crosswind.chaos.usecases.reviews import ChangeReview

    return ChangeReview(experiments=_experiments(), find=_find_experiment(), pause=jittered_pause)


@cache
def _resolve() -> "Resolve":
    from crosswind.bootstrap.providers import providers
    from crosswind.chaos.resolving import Resolve

    return Resolve(providers=providers(_settings()), rules=rules())


@cache
def _find_experiment() -> "FindExperiment":
    from crosswind.chaos.usecases.finding import FindExperiment

    return FindExperiment(experiments=_experiments(), guard=_GUARD)


@cache
def _find_run() -> "FindRun":
    from crosswind.chaos.usecases.finding import FindRun

    return FindRun(runs=_runs(), guard=_GUARD)


def _experiments() -> "ExperimentStore":
    return chaos_stores.experiment_store(_settings())


def _runs() -> "ExperimentRunStore":
    return chaos_stores.experiment_run_store(_settings())


@cache
def _settings() -> ChaosControlSettings:
    return ChaosControlSettings.from_env()
