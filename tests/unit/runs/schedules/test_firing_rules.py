"""What is to be done about due runs."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.schedules import FiringOutcome, MissedPolicy, ScheduleState
from crosswind.runs.schedules import firing
from crosswind.runs.schedules.model import KEPT_FIRINGS, Firing, Schedule, Timing
from tests.fakes import START
from tests.fakes.schedules import make_schedule

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def fired(schedule: Schedule, due: firing.Due) -> Schedule:
    done = Firing(due.moment, due.moment, FiringOutcome.FIRED, run_id=f"run-{due.moment:%d%H%M}")
    return firing.dealt_with(schedule, due, done)


def test_nothing_is_due_before_its_time() -> None:
    assert firing.due_run(make_schedule(), now=START - MINUTE) is None


def test_a_clock_that_is_a_little_behind_does_not_lose_the_alarm() -> None:
    due = firing.due_run(make_schedule(), now=START - timedelta(seconds=2))
    assert due == firing.Due(START, 0, None, START + HOUR)


def test_a_due_run_is_dealt_with_once_and_the_next_one_is_due() -> None:
    schedule = make_schedule()
    due = firing.due_run(schedule, now=START)
    assert due is not None
    after = fired(schedule, due)
    assert (after.due, after.last_run) == (START + HOUR, "run-310800")
    assert firing.due_run(after, now=START + MINUTE) is None


def test_a_run_five_minutes_late_is_on_time_and_later_it_is_missed() -> None:
    on_time = firing.due_run(make_schedule(), now=START + 5 * MINUTE)
    late = firing.due_run(make_schedule(), now=START + 6 * MINUTE)
    assert on_time is not None
    assert on_time.missed is None
    assert late is not None
    assert late.missed is not None
    assert "6 min ago" in late.missed


def test_jitter_is_no_delay() -> None:
    schedule = make_schedule(timing=Timing(cron="0 * * * *", at=None, timezone="UTC", jitter=30 * MINUTE))
    due = firing.due_run(schedule, now=START + 34 * MINUTE)
    assert due is not None
    assert due.missed is None
    assert not firing.is_overdue(schedule, now=START + 30 * MINUTE)
    assert firing.is_overdue(schedule, now=START + 31 * MINUTE)


def test_after_an_outage_only_the_latest_run_is_started_and_the_others_are_noted() -> None:
    schedule = make_schedule()
    due = firing.due_run(schedule, now=START + 5 * HOUR + MINUTE)
    assert due == firing.Due(START + 5 * HOUR, 5, None, START + 6 * HOUR)
    after = fired(schedule, due)
    assert [each.outcome for each in after.firings] == [FiringOutcome.FIRED, FiringOutcome.MISSED]
    assert after.firings[1].reason is not None
    assert after.firings[1].reason.startswith("5 runs")


@pytest.mark.parametrize(("minutes", "starts"), [(45, True), (60, True), (61, False)])
def test_run_once_starts_a_missed_run_within_its_grace(minutes: int, starts: bool) -> None:
    schedule = make_schedule(
        missed=MissedPolicy.RUN_ONCE,
        grace=HOUR,
        timing=Timing(cron="0 8 * * *", at=None, timezone="UTC"),
    )
    due = firing.due_run(schedule, now=START + minutes * MINUTE)
    assert due is not None
    assert (due.missed is None) is starts


def test_a_pause_takes_due_runs_away_and_resuming_goes_on_with_the_next_one() -> None:
    paused = firing.paused(make_schedule(), by="ada", now=START)
    assert firing.state(paused) is ScheduleState.PAUSED
    assert firing.due_run(paused, now=START + 9 * HOUR) is None
    resumed = firing.resumed(paused, now=START + 9 * HOUR + MINUTE)
    assert (resumed.due, resumed.paused_by) == (START + 10 * HOUR, None)
    assert firing.resumed(resumed, now=START) is resumed


def test_after_its_last_run_a_schedule_has_ended() -> None:
    schedule = make_schedule(timing=Timing(cron=None, at=START, timezone="UTC"))
    due = firing.due_run(schedule, now=START)
    assert due is not None
    assert firing.state(fired(schedule, due)) is ScheduleState.ENDED


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_however_often_and_late_alarms_ring_no_run_is_dealt_with_twice(minutes: list[int]) -> None:
    """Alarms at any moments, twice, in bursts and with gaps: each hour is started at most once, and in order."""
    schedule, started = make_schedule(), []
    now = START
    for step in minutes:
        now += step * MINUTE
        due = firing.due_run(schedule, now=now)
        if due is not None:
            if due.missed is None:
                started.append(due.moment)
            schedule = fired(schedule, due)
            assert firing.due_run(schedule, now=now) is None
    assert started == sorted(set(started))
    assert len(schedule.firings) <= KEPT_FIRINGS
