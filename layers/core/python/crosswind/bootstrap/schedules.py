"""Use cases of schedules and triggers, of the API's Lambdas and of the workers that fire; each made at first use."""

from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import chaos_gate, clients, stores, submitting, workers
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.ids import RandomIds
from crosswind.kernel.retry import jittered_pause
from crosswind.platform.access import decide
from crosswind.settings import ChaosSettings, ControlSettings, ScheduleSettings

if TYPE_CHECKING:
    from crosswind.runs.schedules.ports import Alarms
    from crosswind.runs.usecases.firing import FireOverdue, FireSchedule, FireTriggers, StartStoredSuite
    from crosswind.runs.usecases.schedules import (
        DeleteSchedule,
        GetSchedule,
        ListSchedules,
        PauseSchedule,
        PreviewSchedule,
        PutSchedule,
        ResumeSchedule,
    )
    from crosswind.runs.usecases.triggers import (
        DeleteTrigger,
        GetTrigger,
        ListTriggers,
        PutTrigger,
        RecordDeployment,
    )

# Use cases and adapters are imported where they are made: a handler pays for those that it uses.
# ruff: noqa: PLC0415

_GUARD = Guard(decide)
_CLOCK = SystemClock()


@cache
def put_schedule() -> "PutSchedule":
    """PutSchedule."""
    from crosswind.runs.usecases.schedules import PutSchedule

    return PutSchedule(
        schedules=stores.schedule_store(_settings()),
        suites=stores.suite_store(_settings()),
        alarms=_alarms(),
        guard=_GUARD,
        clock=_CLOCK,
        pause=jittered_pause,
    )


@cache
def get_schedule() -> "GetSchedule":
    """GetSchedule."""
    from crosswind.runs.usecases.schedules import GetSchedule

    return GetSchedule(schedules=stores.schedule_store(_settings()), guard=_GUARD)


@cache
def list_schedules() -> "ListSchedules":
    """ListSchedules."""
    from crosswind.runs.usecases.schedules import ListSchedules

    return ListSchedules(schedules=stores.schedule_store(_settings()), guard=_GUARD)


@cache
def delete_schedule() -> "DeleteSchedule":
    """DeleteSchedule."""
    from crosswind.runs.usecases.schedules import DeleteSchedule

    return DeleteSchedule(schedules=stores.schedule_store(_settings()), alarms=_alarms(), guard=_GUARD)


@cache
def pause_schedule() -> "PauseSchedule":
    """PauseSchedule."""
    from crosswind.runs.usecases.schedules import PauseSchedule

    return PauseSchedule(
        schedules=stores.schedule_store(_settings()),
        alarms=_alarms(),
        guard=_GUARD,
        clock=_CLOCK,
        pause=jittered_pause,
    )


@cache
def resume_schedule() -> "ResumeSchedule":
    """ResumeSchedule."""
    from crosswind.runs.usecases.schedules import ResumeSchedule

    return ResumeSchedule(
        schedules=stores.schedule_store(_settings()),
        alarms=_alarms(),
        guard=_GUARD,
        clock=_CLOCK,
        pause=jittered_pause,
    )


@cache
def preview_schedule() -> "PreviewSchedule":
    """PreviewSchedule."""
    from crosswind.runs.usecases.schedules import PreviewSchedule

    return PreviewSchedule(guard=_GUARD, clock=_CLOCK)


@cache
def put_trigger() -> "PutTrigger":
    """PutTrigger."""
    from crosswind.runs.usecases.triggers import PutTrigger

    return PutTrigger(
        triggers=stores.trigger_store(_settings()),
        suites=stores.suite_store(_settings()),
        guard=_GUARD,
        clock=_CLOCK,
    )


@cache
def get_trigger() -> "GetTrigger":
    """GetTrigger."""
    from crosswind.runs.usecases.triggers import GetTrigger

    return GetTrigger(triggers=stores.trigger_store(_settings()), guard=_GUARD)


@cache
def list_triggers() -> "ListTriggers":
    """ListTriggers."""
    from crosswind.runs.usecases.triggers import ListTriggers

    return ListTriggers(triggers=stores.trigger_store(_settings()), guard=_GUARD)


@cache
def delete_trigger() -> "DeleteTrigger":
    """DeleteTrigger."""
    from crosswind.runs.usecases.triggers import DeleteTrigger

    return DeleteTrigger(triggers=stores.trigger_store(_settings()), guard=_GUARD)


@cache
def record_deployment() -> "RecordDeployment":
    """RecordDeployment."""
    from crosswind.runs.usecases.triggers import RecordDeployment

    return RecordDeployment(
        deployments=stores.deployments(_settings()),
        gate=chaos_gate.deployment_facts(ChaosSettings.from_env()),
        runs=stores.run_store(_settings()),
        bus=stores.event_bus(_settings()),
        guard=_GUARD,
        clock=_CLOCK,
        ids=RandomIds(),
    )


@cache
def fire_schedule() -> "FireSchedule":
    """FireSchedule."""
    from crosswind.runs.usecases.firing import FireSchedule

    return FireSchedule(
        schedules=stores.schedule_store(_settings()),
        runs=stores.run_store(_settings()),
        start=_start(),
        cancel=workers.cancel_run(),
        clock=_CLOCK,
        pause=jittered_pause,
    )


@cache
def fire_overdue() -> "FireOverdue":
    """FireOverdue."""
    from crosswind.runs.usecases.firing import FireOverdue

    return FireOverdue(schedules=stores.schedule_store(_settings()), fire=fire_schedule(), clock=_CLOCK)


@cache
def fire_triggers() -> "FireTriggers":
    """FireTriggers."""
    from crosswind.runs.usecases.firing import FireTriggers

    return FireTriggers(triggers=stores.trigger_store(_settings()), start=_start(), clock=_CLOCK)


def _start() -> "StartStoredSuite":
    from crosswind.runs.usecases.firing import StartStoredSuite

    return StartStoredSuite(submitting.submit_stored_run())


@cache
def _alarms() -> "Alarms":
    from crosswind.adapters.aws.alarms import EventBridgeAlarms

    settings = ScheduleSettings.from_env()
    return EventBridgeAlarms(
        client=clients.scheduler(),
        group=settings.schedule_group,
        role_arn=settings.schedule_role_arn,
        function_arn=settings.schedule_function_arn,
    )


@cache
def _settings() -> ControlSettings:
    return ControlSettings.from_env()
