"""Moments as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from crosswind.kernel.clock import SystemClock, from_iso, to_iso


def test_what_the_clock_says_survives_being_stored() -> None:
    now = SystemClock().now()

    assert from_iso(to_iso(now)) == now


def test_a_moment_of_another_zone_is_written_in_utc() -> None:
    moment = datetime(2026, 1, 31, 9, 0, 0, 5000, tzinfo=timezone(timedelta(hours=1)))

    assert to_iso(moment) == "2026-01-31T08:00:00.005Z"
    assert from_iso(to_iso(moment)) == datetime(2026, 1, 31, 8, 0, 0, 5000, tzinfo=UTC)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        from_iso("2026-01-31T08:00:00")
