"""From a schedule's document to its timing, or to every fault of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crosswind.contracts.schedules import ScheduleSpec
from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.schedules import timing
from crosswind.runs.schedules.model import Timing
from tests.fakes import START


def spec(**fields: Any) -> ScheduleSpec:
    return ScheduleSpec.model_validate({"suite": "shop", **fields})


def check(**fields: Any) -> Timing:
    return timing.check(spec(**fields), now=START)


def faults_of(**fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        check(**fields)
    return {fault.path: fault.message for fault in caught.value.errors}


def test_a_moment_without_an_offset_is_one_of_the_time_zone() -> None:
    made = check(at="2026-07-01T08:00", timezone="Europe/Berlin")
    assert made.at == datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert check(at="2026-07-01T08:00-05:00", timezone="Europe/Berlin").at == datetime(
        2026, 7, 1, 13, tzinfo=UTC
    )


def test_every_fault_is_told_at_once_under_its_field() -> None:
    found = faults_of(
        cron="61 25 * * *",
        timezone="Mars/Base",
        start="some day soon",
        expiry="2020-01-01T00:00",
        jitter="90s",
    )
    assert set(found) == {"spec.cron.minute", "spec.cron.hour", "spec.timezone", "spec.start", "spec.jitter"}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "spec"),
        ({"cron": "0 * * * *", "at": "2027-01-01T00:00"}, "spec"),
        ({"at": "2026-01-31T07:59Z"}, "spec.at"),
        ({"at": "9999-12-31T23:59:59-12:00"}, "spec.at"),
        ({"at": "0001-01-01T00:00", "timezone": "Asia/Tokyo"}, "spec.at"),
        ({"cron": "0 * * * *", "start": "0001-01-01T00:00:00Z"}, "spec.start"),
        ({"cron": "0 * * * *", "expiry": "9999-12-31T23:59:59Z"}, "spec.expiry"),
        ({"at": "2027-03-28T02:30", "timezone": "Europe/Berlin"}, "spec.at"),
        ({"at": "2027-01-01T00:00", "expiry": "2028-01-01T00:00"}, "spec.expiry"),
        ({"cron": "0 * * * *", "expiry": "2026-01-31T08:00Z"}, "spec.expiry"),
        ({"cron": "0 * * * *", "start": "2027-01-02T00:00", "expiry": "2027-01-01T00:00"}, "spec.expiry"),
        ({"cron": "0 0 1 1 *", "expiry": "2026-06-01T00:00"}, "spec.expiry"),
        ({"cron": "0 0 30 2 *"}, "spec.cron"),
        ({"cron": "*/10 * * * *", "jitter": "10m"}, "spec.jitter"),
        ({"cron": "0 0 1 * *", "jitter": "25h"}, "spec.jitter"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, str], path: str) -> None:
    assert list(faults_of(**fields)) == [path]


def test_start_and_expiry_bound_the_runs_and_the_start_itself_is_one() -> None:
    made = check(cron="0 * * * *", start="2026-01-31T12:00Z", expiry="2026-01-31T14:00Z")
    found = list(timing.occurrences(made, after=START))
    assert found == [datetime(2026, 1, 31, hour, tzinfo=UTC) for hour in (12, 13)]
    assert timing.next_run(made, after=found[-1]) is None


def test_one_moment_has_one_run() -> None:
    made = check(at="2026-01-31T09:00Z")
    assert timing.next_runs(made, after=START, count=5) == (START + timedelta(hours=1),)
    assert timing.next_run(made, after=START + timedelta(hours=1)) is None


def test_eventbridge_gets_one_moment_in_utc() -> None:
    assert (
        timing.expression(check(at="2026-07-01T08:00", timezone="Europe/Berlin")) == "at(2026-07-01T06:00:00)"
    )
    assert timing.expression(check(cron="0 8 * * 1")) == "cron(0 8 ? * 2 *)"
