"""How observations are kept: bounded, in order, once for each run."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.history.model import Timing
from crosswind.runs.history.observing import (
    DURATIONS,
    FORGET_AFTER,
    OBSERVATIONS,
    is_forgotten,
    passing_seconds,
    tells_of_tests,
    timing,
)
from tests.fakes.samples import run_id
from tests.unit.runs.history.samples import runs, seen, told

LETTERS = "pfelsm"


def letters(outcomes: str) -> str:
    return "".join(each.outcome for each in told(runs(outcomes)).observations)


def test_the_last_fifty_runs_are_kept() -> None:
    history = told(runs("f" * 10 + "p" * OBSERVATIONS))
    assert len(history.observations) == OBSERVATIONS
    assert history.observations[0].run_id == run_id(10)
    assert history.first_seen == seen(0, "f").at


def test_durations_are_kept_of_the_last_ten_that_passed() -> None:
    observations = [
        seen(number, "f" if number % 3 == 0 else "p", seconds=float(number)) for number in range(30)
    ]
    assert passing_seconds(told(observations)) == (16, 17, 19, 20, 22, 23, 25, 26, 28, 29)
    assert len(passing_seconds(told(observations))) == DURATIONS


def test_a_skipped_test_keeps_what_is_known_of_it() -> None:
    assert letters("pf" + "s" * 80) == "pfs"
    assert letters("pf" + "m" * 80 + "p") == "pfp"


def test_a_run_that_is_told_late_takes_its_place() -> None:
    history = told([seen(2, "p"), seen(1, "f")])
    assert [each.outcome for each in history.observations] == ["f", "p"]


def test_a_run_older_than_all_that_is_kept_changes_nothing() -> None:
    history = told(runs("p" * OBSERVATIONS, first=1))
    assert told([seen(0, "f")], history) == replace(history, first_seen=seen(0, "f").at)
    assert told([seen(1, "p")], told(runs("f"), history)) == told(runs("f"), history)


def test_the_same_run_told_again_changes_nothing() -> None:
    history = told(runs("pfp"))
    assert told([replace(seen(1, "f"), seconds=7.0)], history) is history


def test_a_rerun_takes_the_place_of_what_its_run_saw() -> None:
    history = told([seen(1, "l")], told(runs("pfp")))
    assert [each.outcome for each in history.observations] == ["p", "l", "p"]


def test_the_run_with_which_a_series_began_is_known_longer_than_it_is_kept() -> None:
    history = told(runs("p" + "f" * 70))
    assert history.observations[0].run_id == run_id(21)
    assert history.first_failed_run == run_id(1)


@pytest.mark.parametrize(
    ("outcomes", "first_failed"),
    [("ppff", 2), ("ppffs", 2), ("ppffp", None), ("ppffl", None), ("ff", 0), ("fpef", 2)],
)
def test_a_series_begins_after_the_last_pass(outcomes: str, first_failed: int | None) -> None:
    expected = None if first_failed is None else run_id(first_failed)
    assert told(runs(outcomes)).first_failed_run == expected


def test_failures_elsewhere_and_of_an_outage_begin_no_series() -> None:
    branch = runs("ff", first=5, default_branch=False)
    outage = runs("ff", first=8, counted=False)
    assert told([*runs("pp"), *branch, *outage]).first_failed_run is None


def test_a_test_is_forgotten_three_months_after_its_last_run() -> None:
    history = told(runs("ps"))
    last = history.observations[-1].at
    assert not is_forgotten(history, now=last + FORGET_AFTER - timedelta(seconds=1))
    assert is_forgotten(history, now=last + FORGET_AFTER)


@pytest.mark.parametrize(
    ("counts", "tells"),
    [
        ({"failed": 9, "passed": 1}, False),
        ({"failed": 8, "passed": 2}, True),  # 80% is not more than 80%
        ({"failed": 5, "error": 4, "passed": 1}, False),
        ({"failed": 9}, True),  # fewer than ten say nothing of "most"
        ({"failed": 10}, False),
        ({"failed": 9, "passed": 0, "skipped": 90, "missing": 90}, True),
        ({"failed": 9, "flaky": 3}, True),
        ({}, True),
    ],
)
def test_a_run_in_which_most_tests_failed_tells_of_none(counts: dict[str, int], *, tells: bool) -> None:
    assert tells_of_tests(counts) is tells
    assert set(counts) <= {status.value for status in CaseStatus}


def test_a_timing_is_median_and_median_deviation() -> None:
    assert timing([1.0, 2.0, 9.0]) == Timing(seconds=2.0, spread_seconds=1.0, samples=3)
    assert timing([4.0]) == Timing(seconds=4.0, spread_seconds=0.0, samples=1)


@given(st.text(alphabet=LETTERS, min_size=1, max_size=OBSERVATIONS), st.randoms())
def test_the_order_in_which_runs_are_told_does_not_matter(outcomes: str, chance: random.Random) -> None:
    observations = runs(outcomes)
    shuffled = chance.sample(observations, len(observations))
    known, other = told(observations), told([*shuffled, *shuffled[:5]])
    assert [each.outcome for each in known.observations] == [each.outcome for each in other.observations]
    assert known.first_seen == other.first_seen
    assert known.first_failed_run == other.first_failed_run


@given(st.text(alphabet=LETTERS, min_size=1, max_size=150))
def test_what_is_kept_of_a_test_is_bounded(outcomes: str) -> None:
    history = told(runs(outcomes))
    assert len(history.observations) <= OBSERVATIONS + 1
    assert len(passing_seconds(history)) <= DURATIONS
    assert len(history.alarms) <= 3
