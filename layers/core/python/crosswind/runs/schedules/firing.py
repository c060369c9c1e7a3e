"""What is to be done about a schedule's due runs: pure, and the same whoever asks and however often.

The schedule's `due` is the truth. An alarm of EventBridge Scheduler asks at the right moment, the rule of every minute
asks for what alarms left over, and both may ask twice: a due run is dealt with once, because `dealt_with` moves `due`
on and the stored schedule is compared and set.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.contracts.schedules import FiringOutcome, MissedPolicy, ScheduleState
from crosswind.runs.schedules import timing
from crosswind.runs.schedules.model import KEPT_FIRINGS, Firing, Schedule

ON_TIME = timedelta(
    minutes=5
)  # Scheduler is exact to a minute, and an alarm that failed is repeated for some minutes
EARLY = timedelta(seconds=5)  # two machines' clocks: an alarm may seem to come before its time
BACKSTOP_AFTER = timedelta(seconds=60)  # behind the end of the jitter: then the alarm is taken for lost


@dataclass(frozen=True, slots=True)
class Due:
    """The run to deal with now, the latest of those whose time has come."""

    moment: datetime
    passed_over: int  # earlier ones that nobody dealt with
    missed: str | None  # why it is too late to start it; None: start it
    then: datetime | None  # the next one


def due_run(schedule: Schedule, *, now: datetime) -> Due | None:
    """What to deal with now; None while nothing is due."""
    if schedule.due is None or schedule.due > now + EARLY:
        return None
    moment, passed_over, then = schedule.due, 0, None
    for later in timing.occurrences(schedule.timing, after=schedule.due):
        if later > now + EARLY:
            then = later
            break
        moment, passed_over = later, passed_over + 1
    return Due(moment, passed_over, _too_late(schedule, moment, now), then)


def is_overdue(schedule: Schedule, *, now: datetime) -> bool:
    """Whether its alarm should have rung by now."""
    return schedule.due is not None and schedule.due + schedule.timing.jitter + BACKSTOP_AFTER <= now


def dealt_with(schedule: Schedule, due: Due, firing: Firing) -> Schedule:
    """The schedule after a due run: the firing is noted, and the next run is due."""
    firings = [firing]
    if due.passed_over:
        firings.append(
            Firing(
                due=schedule.due or due.moment,
                at=firing.at,
                outcome=FiringOutcome.MISSED,
                reason=f"{_runs(due.passed_over)} from this time on passed while nothing could start them.",
            )
        )
    return replace(
        schedule,
        due=due.then,
        last_run=firing.run_id or schedule.last_run,
        firings=(*firings, *schedule.firings)[:KEPT_FIRINGS],
    )


def paused(schedule: Schedule, *, by: str, now: datetime) -> Schedule:
    """Nothing is due while it is paused. Pausing again changes nothing."""
    return schedule if schedule.paused_at else replace(schedule, due=None, paused_at=now, paused_by=by)


def resumed(schedule: Schedule, *, now: datetime) -> Schedule:
    """It goes on with the next run; those of the pause are not made up for."""
    if schedule.paused_at is None:
        return schedule
    return replace(schedule, due=timing.next_run(schedule.timing, after=now), paused_at=None, paused_by=None)


def state(schedule: Schedule) -> ScheduleState:
    """Whether it starts runs."""
    if schedule.paused_at is not None:
        return ScheduleState.PAUSED
    return ScheduleState.ACTIVE if schedule.due is not None else ScheduleState.ENDED


def _too_late(schedule: Schedule, moment: datetime, now: datetime) -> str | None:
    tolerance = ON_TIME + schedule.timing.jitter
    if schedule.missed is MissedPolicy.RUN_ONCE:
        tolerance = max(tolerance, schedule.grace)
    late = now - moment
    if late <= tolerance:
        return None
    return (
        f"Nothing could start it within {_span(tolerance)} of its time; "
        f"by now that is {_span(late)} ago and missed runs are {_policy(schedule)}."
    )


def _policy(schedule: Schedule) -> str:
    return (
        "skipped" if schedule.missed is MissedPolicy.SKIP else f"started within {_span(schedule.grace)} only"
    )


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _span(duration: timedelta) -> str:
    """Such as `1 h 05 min`, `12 min` or `40 s`."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    if minutes >= 60:  # noqa: PLR2004  # an hour
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
