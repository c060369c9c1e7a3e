"""Use cases of the chaos engine: the machine's tasks, the watch, the reaper, and what starts runs. Made at first use."""

import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import chaos_gate, chaos_stores, clients, stores
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.retry import jittered_pause
from crosswind.settings import ChaosControlSettings, ChaosSettings

if TYPE_CHECKING:
    from crosswind.chaos.layout import Report
    from crosswind.chaos.ports import (
        ChaosQueues,
        DeadMan,
        Engine,
        Monitors,
        Notifier,
    )
    from crosswind.chaos.providing import Providers
    from crosswind.chaos.usecases.analyzing import Analyze
    from crosswind.chaos.usecases.closing import CloseStep
    from crosswind.chaos.usecases.firing import FireDue, FireOnEvent
    from crosswind.chaos.usecases.injecting import InjectStep
    from crosswind.chaos.usecases.preflight import CheckPreflight
    from crosswind.chaos.usecases.reaping import CloseUnstarted, ReapAll, ReapRun, RecordEngineFailure
    from crosswind.chaos.usecases.recording import (
        ChangeRun,
        PublishEvents,
        PublishPhase,
        RecordAbort,
        Tell,
    )
    from crosswind.chaos.usecases.recovering import Recover
    from crosswind.chaos.usecases.suite_probes import RunSuiteProbes
    from crosswind.chaos.usecases.undoing import UndoFaults
    from crosswind.chaos.usecases.watching import WatchExperiment
    from crosswind.contracts.chaos.runs import ExperimentResults
    from crosswind.runs.usecases.changing import ChangeWork

# Use cases and adapters are imported where they are made: a handler pays for those that it uses.
# ruff: noqa: PLC0415

_CLOCK = SystemClock()


@cache
def preflight_check() -> "CheckPreflight":
    """The machine's first state."""
    from crosswind.chaos.usecases.preflight import CheckPreflight

    settings = _settings()
    return CheckPreflight(
        runs=chaos_stores.experiment_run_store(settings),
        experiments=chaos_stores.experiment_store(settings),
        providers=_providers(),
        ask_gate=chaos_gate.ask_gate(settings),
        policies=chaos_gate.policies(settings),
        artifacts=stores.artifacts(settings),
        dead_man=dead_man(),
        queues=chaos_queues(),
        change=_change(),
        record_abort=record_abort(),
        publish_phase=_publish_phase(),
        tell=_tell(),
        clock=_CLOCK,
        refused_addresses=tuple(filter(None, settings.refused_addresses.split(","))),
        cluster=settings.default_cluster or None,
    )


@cache
def inject_step() -> "InjectStep":
    """Inject the faults of a step."""
    from crosswind.chaos.usecases.injecting import InjectStep

    settings = _settings()
    return InjectStep(
        runs=chaos_stores.experiment_run_store(settings),
        experiments=chaos_stores.experiment_store(settings),
        providers=_providers(),
        monitors=monitors(),
        ask_gate=chaos_gate.ask_gate(settings),
        change=_change(),
        record_abort=record_abort(),
        publish_phase=_publish_phase(),
        tell=_tell(),
        clock=_CLOCK,
        pause=time.sleep,
        cluster=settings.default_cluster or None,
    )


@cache
def close_step() -> "CloseStep":
    """Take what the monitor answered."""
    from crosswind.chaos.usecases.closing import CloseStep

    return CloseStep(
        runs=chaos_stores.experiment_run_store(_settings()),
        providers=_providers(),
        undo=_undo(),
        change=_change(),
        record_abort=record_abort(),
        tell=_tell(),
        clock=_CLOCK,
    )


@cache
def recover() -> "Recover":
    """Undo everything."""
    from crosswind.chaos.usecases.recovering import Recover

    return Recover(
        runs=chaos_stores.experiment_run_store(_settings()),
        monitors=monitors(),
        undo=_undo(),
        change=_change(),
        record_abort=record_abort(),
        publish_phase=_publish_phase(),
        tell=_tell(),
        clock=_CLOCK,
        cluster=_settings().default_cluster or None,
    )


@cache
def analyze() -> "Analyze":
    """Verdict, times, reports."""
    from crosswind.chaos.usecases.analyzing import Analyze
    from crosswind.chaos.views import run_view

    settings = _settings()
    return Analyze(
        runs=chaos_stores.experiment_run_store(settings),
        monitors=monitors(),
        artifacts=stores.artifacts(settings),
        dead_man=dead_man(),
        change=_change(),
        publish_events=_publish_events(),
        tell=_tell(),
        view=run_view,
        render=_render,
        clock=_CLOCK,
    )


@cache
def record_engine_failure() -> "RecordEngineFailure":
    """Keep why a state gave up."""
    from crosswind.chaos.usecases.reaping import RecordEngineFailure

    return RecordEngineFailure(record_abort=record_abort(), note=_tell().note)


@cache
def watch_experiments() -> "WatchExperiment":
    """Look after runs that go on."""
    from crosswind.chaos.usecases.watching import StartExecution, WakeBlocked, WatchExperiment

    settings = _settings()
    start = StartExecution(engine())
    return WatchExperiment(
        runs=chaos_stores.experiment_run_store(settings),
        experiments=chaos_stores.experiment_store(settings),
        facts=chaos_stores.fact_store(settings),
        policies=chaos_gate.policies(settings),
        monitors=monitors(),
        queues=chaos_queues(),
        ask_gate=chaos_gate.ask_gate(settings),
        change=_change(),
        record_abort=record_abort(),
        publish_phase=_publish_phase(),
        publish_events=_publish_events(),
        wake=WakeBlocked(change=_change(), start=start, queues=chaos_queues(), clock=_CLOCK),
        start=start,
        close_unstarted=close_unstarted(),
        reap=_reap(),
        run_suites=_run_suites(),
        clock=_CLOCK,
    )


@cache
def reap_experiments() -> "ReapAll":
    """Undo what nobody else does."""
    from crosswind.chaos.usecases.reaping import ReapAll

    return ReapAll(
        runs=chaos_stores.experiment_run_store(_settings()),
        queues=chaos_queues(),
        reap=_reap(),
        publish_events=_publish_events(),
        clock=_CLOCK,
    )


@cache
def start_experiments() -> "FireDue":
    """Start what schedules make due."""
    from crosswind.bootstrap import chaos
    from crosswind.chaos.usecases.firing import FireDue

    return FireDue(
        experiments=chaos_stores.experiment_store(_settings()), start=chaos.start_experiment(), clock=_CLOCK
    )


@cache
def start_on_event() -> "FireOnEvent":
    """Start what waits for a domain event."""
    from crosswind.bootstrap import chaos
    from crosswind.chaos.usecases.firing import FireOnEvent

    return FireOnEvent(experiments=chaos_stores.experiment_store(_settings()), start=chaos.start_experiment())


@cache
def record_abort() -> "RecordAbort":
    """Record why a run is aborted, and let its execution hear of it."""
    from crosswind.chaos.usecases.recording import RecordAbort

    return RecordAbort(
        runs=chaos_stores.experiment_run_store(_settings()),
        monitors=monitors(),
        change=_change(),
        clock=_CLOCK,
    )


@cache
def close_unstarted() -> "CloseUnstarted":
    """End a run that no execution is in."""
    from crosswind.chaos.usecases.reaping import CloseUnstarted

    return CloseUnstarted(
        runs=chaos_stores.experiment_run_store(_settings()), recover=recover(), analyze=analyze()
    )


@cache
def monitors() -> "Monitors":
    """The runs' monitors as leased work."""
    from crosswind.adapters.monitors import LeasedMonitors
    from crosswind.runs.usecases.watching import WatchWork

    settings = _settings()
    works, change = stores.work_store(settings), _change_work()
    return LeasedMonitors(
        works=works,
        change=change,
        watch_work=WatchWork(works=works, queues=stores.queues(settings), change=change, clock=_CLOCK),
        clock=_CLOCK,
    )


@cache
def dead_man() -> "DeadMan":
    """The schedules behind a run."""
    from crosswind.adapters.aws.dead_man import SchedulerDeadMan

    settings = _settings()
    return SchedulerDeadMan(
        client=clients.scheduler(),
        group=settings.chaos_schedule_group,
        role_arn=settings.chaos_schedule_role_arn,
        reap_function_arn=settings.reap_function_arn,
        watch_queue_arn=settings.chaos_watch_queue_arn,
    )


@cache
def chaos_queues() -> "ChaosQueues":
    """The watch queue."""
    from crosswind.adapters.aws.chaos_queues import SqsChaosQueues

    return SqsChaosQueues(client=clients.sqs(), watch_url=_settings().chaos_watch_queue_url)


@cache
def engine() -> "Engine":
    """Executions of chaos/experiment."""
    from crosswind.adapters.aws.engine import SfnEngine

    settings = ChaosControlSettings.from_env()
    return SfnEngine(client=clients.stepfunctions(), state_machine_arn=settings.chaos_machine_arn)


@cache
def _run_suites() -> "RunSuiteProbes":
    from crosswind.adapters.probe_suites import SubmittedSuites
    from crosswind.bootstrap import submitting
    from crosswind.chaos.usecases.suite_probes import RunSuiteProbes

    settings = _settings()
    suites = SubmittedSuites(
        submit=submitting.submit_stored_run(),
        suites=stores.suite_store(settings),
        runs=stores.run_store(settings),
    )
    return RunSuiteProbes(suites=suites, artifacts=stores.artifacts(settings))


@cache
def _reap() -> "ReapRun":
    from crosswind.chaos.usecases.reaping import ReapRun

    return ReapRun(
        runs=chaos_stores.experiment_run_store(_settings()),
        monitors=monitors(),
        recover=recover(),
        analyze=analyze(),
        clock=_CLOCK,
    )


@cache
def _undo() -> "UndoFaults":
    from crosswind.chaos.usecases.undoing import UndoFaults

    return UndoFaults(
        runs=chaos_stores.experiment_run_store(_settings()),
        providers=_providers(),
        tell=_tell(),
        clock=_CLOCK,
        pause=time.sleep,
    )


@cache
def _change() -> "ChangeRun":
    from crosswind.chaos.usecases.recording import ChangeRun

    runs = chaos_stores.experiment_run_store(_settings())
    return ChangeRun(runs=runs, clock=_CLOCK, pause=jittered_pause)


@cache
def _publish_phase() -> "PublishPhase":
    from crosswind.chaos.usecases.recording import PublishPhase

    settings = _settings()
    return PublishPhase(
        runs=chaos_stores.experiment_run_store(settings), artifacts=stores.artifacts(settings)
    )


@cache
def _publish_events() -> "PublishEvents":
    from crosswind.chaos.usecases.recording import PublishEvents

    settings = _settings()
    return PublishEvents(runs=chaos_stores.experiment_run_store(settings), bus=stores.event_bus(settings))


@cache
def _tell() -> "Tell":
    from crosswind.chaos.usecases.recording import Tell

    runs = chaos_stores.experiment_run_store(_settings())
    return Tell(runs=runs, notifier=_notifier(), clock=_CLOCK)


@cache
def _notifier() -> "Notifier":
    from crosswind.adapters.notifiers.sns import SnsTopic
    from crosswind.adapters.notifiers.telling import TellEverybody
    from crosswind.adapters.notifiers.webhook import Webhooks, resolve

    settings = _settings()
    topic = settings.operators_topic_arn
    return TellEverybody(
        topic=SnsTopic(client=clients.sns(), topic_arn=topic) if topic else None,
        webhooks=Webhooks(secrets=stores.secrets(settings), resolve=resolve),
    )


@cache
def _change_work() -> "ChangeWork":
    from crosswind.runs.usecases.changing import ChangeWork, PerformEffects

    settings = _settings()
    perform = PerformEffects(queues=stores.queues(settings), tokens=stores.task_tokens())
    return ChangeWork(works=stores.work_store(settings), perform=perform, pause=jittered_pause)


@cache
def _providers() -> "Providers":
    from crosswind.bootstrap.providers import providers

    return providers(_settings())


def _render(results: "ExperimentResults") -> Mapping["Report", bytes]:
    from crosswind.adapters.reports.experiments import render

    return render(results)


@cache
def _settings() -> ChaosSettings:
    return ChaosSettings.from_env()
