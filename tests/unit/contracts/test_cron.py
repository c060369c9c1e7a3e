"""Cron expressions: which moments they mean, in which words EventBridge gets them, and what is refused by which field."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.contracts import cron
from crosswind.contracts.cron import CronError

LONDON = ZoneInfo("Europe/London")
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
UTC_ZONE = ZoneInfo("UTC")
MONDAY = datetime(2027, 1, 4, tzinfo=UTC)


def runs(text: str, *, after: datetime = MONDAY, zone: ZoneInfo = UTC_ZONE, count: int = 3) -> list[str]:
    return [f"{each:%Y-%m-%d %H:%M}" for each in islice(cron.parse(text).after(after, zone), count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/15 * * * *", ["2027-01-04 00:15", "2027-01-04 00:30", "2027-01-04 00:45"]),
        ("30 2 * * 1-5", ["2027-01-04 02:30", "2027-01-05 02:30", "2027-01-06 02:30"]),
        ("0 0 * * 0", ["2027-01-10 00:00", "2027-01-17 00:00", "2027-01-24 00:00"]),
        ("0 0 * * 7", ["2027-01-10 00:00", "2027-01-17 00:00", "2027-01-24 00:00"]),
        ("0 0 * * fri-7", ["2027-01-08 00:00", "2027-01-09 00:00", "2027-01-10 00:00"]),
        ("0 12 31 * *", ["2027-01-31 12:00", "2027-03-31 12:00", "2027-05-31 12:00"]),
        ("0 0 29 FEB *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("0 12 L * ? *", ["2027-01-31 12:00", "2027-02-28 12:00", "2027-03-31 12:00"]),
        ("0 12 16W * ? *", ["2027-01-15 12:00", "2027-02-16 12:00", "2027-03-16 12:00"]),
        ("0 12 1W 5 ? *", ["2027-05-03 12:00", "2028-05-01 12:00", "2029-05-01 12:00"]),
        ("0 12 ? * 2#1 *", ["2027-01-04 12:00", "2027-02-01 12:00", "2027-03-01 12:00"]),
        ("0 12 ? * FRIL *", ["2027-01-29 12:00", "2027-02-26 12:00", "2027-03-26 12:00"]),
        ("cron(0 12 ? * MON 2027-2028)", ["2027-01-04 12:00", "2027-01-11 12:00", "2027-01-18 12:00"]),
    ],
)
def test_an_expression_means_these_moments(text: str, expected: list[str]) -> None:
    assert runs(text) == expected


def test_a_local_time_that_the_clocks_skip_has_no_run() -> None:
    evening = datetime(2027, 3, 27, 12, tzinfo=UTC)
    assert runs("30 2 * * *", after=evening, zone=BERLIN) == [
        "2027-03-29 00:30",  # nothing on the 28th, where 02:30 does not exist
        "2027-03-30 00:30",
        "2027-03-31 00:30",
    ]


def test_a_local_time_that_comes_twice_has_one_run_the_first() -> None:
    evening = datetime(2027, 10, 30, 12, tzinfo=UTC)
    assert runs("30 2 * * *", after=evening, zone=BERLIN, count=2) == ["2027-10-31 00:30", "2027-11-01 01:30"]
    assert runs("30 1 * * *", after=datetime(2027, 11, 6, 12, tzinfo=UTC), zone=NEW_YORK, count=2) == [
        "2027-11-07 05:30",
        "2027-11-08 06:30",
    ]


@pytest.mark.parametrize(
    ("text", "six"),
    [
        ("*/15 * * * *", "0/15 * * * ? *"),
        ("0 2 * * *", "0 2 * * ? *"),
        ("0 2 * * 1-5", "0 2 ? * 2-6 *"),
        ("0 2 * * 0,6", "0 2 ? * 1,7 *"),
        ("0 2 1,15 * *", "0 2 1,15 * ? *"),
        ("10-14/2 2 * JAN,MAR *", "10,12,14 2 * 1,3 ? *"),
        ("cron(0 12 ? * MON-FRI *)", "0 12 ? * 2-6 *"),
    ],
)
def test_eventbridge_gets_its_own_six_fields(text: str, six: str) -> None:
    assert cron.parse(text).text == six


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("61 * * * *", {"minute": "`61` is not from 0 to 59"}),
        ("0 24 * 13 *", {"hour": "`24` is not from 0 to 23", "month": "`13` is not from 1 to 12"}),
        ("*/0 * * * *", {"minute": "`*/0` has a step of 0"}),
        ("5-1 * * * *", {"minute": "`5-1` ends before it starts"}),
        ("x * * * *", {"minute": "`X` is not understood"}),
        ("0 0 * * 8", {"dayOfWeek": "`8` is not from 0 to 7"}),
        ("0 0 ? * 0 *", {"dayOfWeek": "`0` is not from 1 to 7"}),
        ("0 0 40W * ? *", {"dayOfMonth": "`40W` is not understood"}),
        ("0 0 * * ? 1969", {"year": "`1969` is not from 1970 to 2199"}),
        ("* * * *", {"": "has 4 fields"}),
        ("", {"": "has 0 fields"}),
    ],
)
def test_a_fault_is_told_under_the_name_of_its_field(text: str, faults: dict[str, str]) -> None:
    with pytest.raises(CronError) as caught:
        cron.parse(text)
    assert {fault.path: fault.message for fault in caught.value.faults} == faults
    assert all(fault.expected for fault in caught.value.faults)


@pytest.mark.parametrize("text", ["0 0 1 * 1", "0 0 1 * 1 *", "0 0 ? * ? *", "0 0 * * * *"])
def test_two_days_that_eventbridge_cannot_say_are_refused(text: str) -> None:
    with pytest.raises(CronError) as caught:
        cron.parse(text)
    assert caught.value.faults[0].path in {"dayOfWeek", "dayOfMonth"}


def test_a_day_that_never_comes_has_no_runs() -> None:
    assert runs("0 0 30 2 *") == []


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just("*"),
        st.integers(1, high).map(lambda step: f"*/{step}"),
        pair.map(lambda each: f"{each[0]}-{each[1]}"),
        st.tuples(pair, st.integers(1, 9)).map(lambda each: f"{each[0][0]}-{each[0][1]}/{each[1]}"),
        st.lists(number, min_size=1, max_size=5).map(lambda each: ",".join(map(str, each))),
    )


expressions = st.one_of(
    st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), st.just("*")),
    st.tuples(fields(0, 59), fields(0, 23), st.just("*"), fields(1, 12), fields(0, 7)),
).map(" ".join)
moments = st.integers(0, 16 * 365 * 24 * 60 * 60).map(lambda seconds: MONDAY + timedelta(seconds=seconds))
zones = st.sampled_from([BERLIN, LONDON, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")])


@settings(max_examples=200, deadline=None)
@given(expressions, moments, zones)
def test_moments_come_in_order_after_the_given_one_and_eventbridges_words_mean_the_same(
    text: str, after: datetime, zone: ZoneInfo
) -> None:
    parsed = cron.parse(text)
    found = list(islice(parsed.after(after, zone), 20))
    assert all(earlier < later for earlier, later in pairwise([after, *found]))
    assert all(each.astimezone(zone).minute in parsed.minutes for each in found)
    assert all(each.astimezone(zone).date() in parsed.days for each in found)
    assert list(islice(cron.parse(parsed.text).after(after, zone), 20)) == found


@settings(max_examples=50, deadline=None)
@given(expressions, moments, zones)
def test_no_minute_is_left_out(text: str, after: datetime, zone: ZoneInfo) -> None:
    """Against every minute of two days, looked at one by one."""
    parsed = cron.parse(text)
    end = after + timedelta(days=2)
    found = []
    for each in parsed.after(after, zone):
        if each > end:
            break
        found.append(each)
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    every = (first + timedelta(minutes=minute) for minute in range(2 * 24 * 60))
    wanted = []
    for moment in every:
        local = moment.astimezone(zone)
        if (
            local.fold == 0
            and local.minute in parsed.minutes
            and local.hour in parsed.hours
            and local.month in parsed.months
            and local.date() in parsed.days
            and moment <= end
        ):
            wanted.append(moment)
    assert found == wanted


@given(st.text(alphabet="0123456789*/,-?LW#SUNMONJAN \t", max_size=40))
def test_any_text_gives_an_expression_or_its_faults(text: str) -> None:
    try:
        cron.parse(text)
    except CronError as error:
        assert error.faults  # noqa: PT017  # either is right; without faults it would be none


def test_the_nearest_weekday_stays_in_its_month() -> None:
    first_is_sunday = cron.parse("0 0 1W 8 ? 2027")
    assert date(2027, 8, 2) in first_is_sunday.days
    last_is_sunday = cron.parse("0 0 31W 10 ? 2027")
    assert date(2027, 10, 29) in last_is_sunday.days
