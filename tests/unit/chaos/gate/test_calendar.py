"""Freezes and business hours."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.chaos.calendar import Refusal, Window, refusal
from crosswind.contracts.chaos.gate import PolicySpec
from crosswind.contracts.moments import MomentError
from tests.unit.chaos.gate.world import policy

MONDAY = datetime(2026, 3, 23, tzinfo=UTC)  # the clocks of Berlin go forward on the Sunday after
OFFICE = {"timezone": "Europe/Berlin", "start": "09:00", "end": "17:00"}


def at(hours: float, *, days: int = 0, minutes: float = 30) -> Window:
    """A window on Monday at this hour UTC; Berlin is one ahead."""
    start = MONDAY + timedelta(days=days, hours=hours)
    return Window(start, start + timedelta(minutes=minutes))


def frozen(start: str, end: str, name: str = "sale") -> dict[str, Any]:
    return {"name": name, "start": start, "end": end}


def asked(window: Window, **spec: Any) -> Refusal | None:
    return refusal(policy(**spec), window)


def test_without_freezes_and_hours_any_time_is_free() -> None:
    assert asked(at(3)) is None


@pytest.mark.parametrize(
    ("hours", "free"), [(7.9, False), (8, True), (15.5, True), (15.51, False), (20, False)]
)
def test_the_whole_window_has_to_lie_in_business_hours(hours: float, free: bool) -> None:
    assert (asked(at(hours), business_hours=OFFICE) is None) == free


def test_in_the_evening_it_waits_for_the_next_morning() -> None:
    refused = asked(at(18), business_hours=OFFICE)
    assert refused is not None
    assert refused.until == MONDAY + timedelta(days=1, hours=8)
    assert "business hours" in refused.reason


def test_over_the_weekend_it_waits_for_monday_in_the_zone_s_own_time() -> None:
    refused = asked(at(18, days=4), business_hours=OFFICE)
    assert refused is not None
    assert refused.until == MONDAY + timedelta(days=7, hours=7)  # summer time by then


def test_a_window_that_is_longer_than_the_hours_never_fits() -> None:
    refused = asked(at(9, minutes=9 * 60), business_hours=OFFICE)
    assert refused is not None
    assert refused.until is None


def test_hours_may_go_over_midnight() -> None:
    night = {"timezone": "UTC", "days": ["mon"], "start": "22:00", "end": "06:00"}
    assert asked(at(23.75), business_hours=night) is None
    assert asked(at(5, days=1), business_hours=night) is None
    assert asked(at(5.75, days=1), business_hours=night) is not None
    assert asked(at(23, days=1), business_hours=night) is not None


def test_whole_days_beside_each_other_are_one_stretch() -> None:
    days = {"timezone": "UTC", "days": ["mon", "tue"], "start": "00:00", "end": "00:00"}
    assert asked(at(23.75), business_hours=days) is None
    assert asked(at(23.75, days=1), business_hours=days) is not None


@pytest.mark.parametrize(
    ("hours", "free"), [(9.4, True), (9.5, True), (9.6, False), (10, False), (11.9, False), (12, True)]
)
def test_a_freeze_is_touched_from_its_start_to_before_its_end(hours: float, free: bool) -> None:
    freeze = frozen("2026-03-23T10:00:00Z", "2026-03-23T13:00:00+01:00")
    refused = asked(at(hours), freezes=(freeze,))
    assert (refused is None) == free
    if refused is not None:
        assert refused.until == MONDAY + timedelta(hours=12)
        assert "`sale`" in refused.reason


def test_it_waits_for_a_moment_that_freezes_and_hours_both_leave_free() -> None:
    freezes = (
        frozen("2026-03-23T08:00:00Z", "2026-03-23T15:45:00Z"),
        frozen("2026-03-24T00:00:00Z", "2026-03-24T12:00:00Z", name="migration"),
    )
    refused = asked(at(9), freezes=freezes, business_hours=OFFICE)
    assert refused is not None
    assert refused.until == MONDAY + timedelta(days=1, hours=12)


def test_a_window_without_length_is_judged_by_its_moment() -> None:
    freeze = frozen("2026-03-23T10:00:00Z", "2026-03-23T12:00:00Z")
    assert asked(at(10, minutes=0), freezes=(freeze,)) is not None
    assert asked(at(12, minutes=0), freezes=(freeze,)) is None


def test_a_time_zone_that_does_not_exist_is_told() -> None:
    with pytest.raises(MomentError):
        asked(at(9), business_hours={**OFFICE, "timezone": "Mars/Phobos"})


CLOCK = st.integers(min_value=0, max_value=95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
SPECS = st.builds(
    lambda zone, days, start, end, freezes: policy(
        business_hours={"timezone": zone, "days": sorted(days), "start": start, "end": end},
        freezes=[
            frozen((MONDAY + begin).isoformat(), (MONDAY + begin + length).isoformat())
            for begin, length in freezes
        ],
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
    st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1),
    CLOCK,
    CLOCK,
    st.lists(
        st.tuples(
            st.timedeltas(timedelta(0), timedelta(days=10)),
            st.timedeltas(timedelta(minutes=1), timedelta(days=3)),
        ),
        max_size=3,
    ),
)


@given(
    spec=SPECS,
    offset=st.timedeltas(timedelta(0), timedelta(days=9)),
    length=st.timedeltas(timedelta(0), timedelta(hours=30)),
)
def test_the_moment_that_it_waits_for_is_free(spec: PolicySpec, offset: timedelta, length: timedelta) -> None:
    window = Window(MONDAY + offset, MONDAY + offset + length)
    refused = refusal(spec, window)
    if refused is None or refused.until is None:
        return
    assert refused.until > window.start
    assert refusal(spec, window.moved_to(refused.until)) is None
