"""Schedules and triggers as the API shows them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from crosswind.contracts.schedules import (
    NEXT_RUNS,
    FiringView,
    MissedSpec,
    RunTime,
    ScheduleSpec,
    ScheduleSummary,
    ScheduleView,
    TriggerEvent,
    TriggerFiringView,
    TriggerSpec,
    TriggerView,
)
from crosswind.kernel.clock import to_iso
from crosswind.runs.schedules import firing, timing
from crosswind.runs.schedules.model import Firing, Schedule, Trigger, TriggerFiring

_INSTANT = timedelta(microseconds=1)
_HOUR_SECONDS, _MINUTE_SECONDS = 3600, 60


def schedule_view(schedule: Schedule) -> ScheduleView:
    """All of a schedule."""
    return ScheduleView(
        name=schedule.name,
        team=schedule.team,
        state=firing.state(schedule),
        owner=schedule.owner,
        updated_at=to_iso(schedule.updated_at),
        paused_by=schedule.paused_by,
        spec=_spec(schedule),
        next=run_times(_next(schedule), timezone=schedule.timing.timezone),
        firings=tuple(_firing_view(each) for each in schedule.firings),
    )


def schedule_summary(schedule: Schedule) -> ScheduleSummary:
    """A row of a list."""
    return ScheduleSummary(
        name=schedule.name,
        team=schedule.team,
        suite=schedule.suite,
        state=firing.state(schedule),
        when=schedule.timing.cron or _iso(schedule.timing.at) or "",
        timezone=schedule.timing.timezone,
        owner=schedule.owner,
        next=_iso(schedule.due),
        last=_firing_view(schedule.firings[0]) if schedule.firings else None,
    )


def run_times(moments: tuple[datetime, ...], *, timezone: str) -> tuple[RunTime, ...]:
    """Moments in UTC and on the clocks of a time zone."""
    zone = ZoneInfo(timezone)
    return tuple(
        RunTime(at=to_iso(moment), local=moment.astimezone(zone).isoformat(timespec="minutes"))
        for moment in moments
    )


def trigger_view(trigger: Trigger) -> TriggerView:
    """All of a trigger."""
    return TriggerView(
        name=trigger.name,
        team=trigger.team,
        owner=trigger.owner,
        updated_at=to_iso(trigger.updated_at),
        spec=TriggerSpec(
            on=TriggerEvent(
                type=trigger.event,
                suite=trigger.of_suite,
                verdicts=trigger.of_verdicts,
                service=trigger.of_service,
                environment=trigger.of_environment,
            ),
            suite=trigger.suite,
            parameters=trigger.parameters,
            priority=trigger.priority,
            paused=trigger.paused,
            allow_repeat=trigger.allow_repeat,
        ),
        last=_trigger_firing_view(trigger.last) if trigger.last else None,
    )


def _next(schedule: Schedule) -> tuple[datetime, ...]:
    if schedule.due is None:
        return ()
    return timing.next_runs(schedule.timing, after=schedule.due - _INSTANT, count=NEXT_RUNS)


def _spec(schedule: Schedule) -> ScheduleSpec:
    wanted = schedule.timing
    return ScheduleSpec(
        suite=schedule.suite,
        cron=wanted.cron,
        at=_iso(wanted.at),
        timezone=wanted.timezone,
        start=_iso(wanted.start),
        expiry=_iso(wanted.expiry),
        jitter=_duration(wanted.jitter) if wanted.jitter else None,
        overlap=schedule.overlap,
        missed=MissedSpec(policy=schedule.missed, grace=_duration(schedule.grace)),
        parameters=schedule.parameters,
        priority=schedule.priority,
    )


def _firing_view(made: Firing) -> FiringView:
    return FiringView(
        due=to_iso(made.due),
        at=to_iso(made.at),
        outcome=made.outcome,
        reason=made.reason,
        execution_id=made.run_id,
    )


def _trigger_firing_view(made: TriggerFiring) -> TriggerFiringView:
    return TriggerFiringView(
        event_id=made.event_id,
        at=to_iso(made.at),
        outcome=made.outcome,
        reason=made.reason,
        execution_id=made.run_id,
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else to_iso(moment)


def _duration(span: timedelta) -> str:
    """Such as `1h30m`: what a Duration field takes."""
    hours, rest = divmod(int(span.total_seconds()), _HOUR_SECONDS)
    minutes, seconds = divmod(rest, _MINUTE_SECONDS)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
