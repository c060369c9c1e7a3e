"""How large the next batch is. Input: a list and how far it is given out. Output: units. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.work import PullList, PullUnit
from crosswind.runs.pulling.sizing import (
    BATCHES_PER_RUNNER,
    LEAST_PART,
    MOST_UNITS,
    SHARE,
    Sizing,
)


def make_list(seconds: list[float], *, runners: int = 4, stripes: int = 1) -> PullList:
    units = tuple(
        PullUnit(test_ids=(f"t{number}",), estimate_seconds=each) for number, each in enumerate(seconds)
    )
    return PullList(pull_id="p", runners=runners, stripes=stripes, units=units)


def sizes(pull_list: PullList, *, runners: int) -> list[int]:
    sizing = Sizing.of(pull_list)
    given_out: list[int] = []
    while units := sizing.units(sum(given_out), runners=runners):
        given_out.append(units)
    return given_out


def test_a_batch_is_a_twentieth_of_what_is_left_for_each_runner() -> None:
    sizing = Sizing.of(make_list([1.0] * 1000))
    assert sizing.units(0, runners=4) == int(1000 / 4 * SHARE)
    assert sizing.units(500, runners=4) == int(500 / 4 * SHARE)


def test_a_unit_that_is_longer_than_that_is_a_batch_by_itself() -> None:
    assert sizes(make_list([100.0, 50.0, 1.0]), runners=2)[:2] == [1, 1]


def test_batches_shrink_but_not_to_nothing() -> None:
    found = sizes(make_list([0.1] * 10_000), runners=4)
    assert found[:-4] == sorted(found[:-4], reverse=True)
    floor = int(LEAST_PART * 1000.0 / 4 / 0.1) - 1  # sums of tenths are not exact
    assert (
        sum(found[: sum(size >= floor for size in found)]) >= 0.97 * 10_000
    )  # behind it, even shares of the rest
    assert len(found) / 4 <= BATCHES_PER_RUNNER


def test_the_last_work_is_shared_evenly_and_not_taken_by_one_minimum() -> None:
    assert sizes(make_list([0.1] * 4), runners=4) == [1, 1, 1, 1]


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_units_without_length_are_not_one_batch(seconds: float) -> None:
    assert len(sizes(make_list([seconds] * 100), runners=4)) >= 4


def test_the_more_runners_the_longer_the_shortest_batch() -> None:
    assert Sizing.of(make_list([1.0] * 10, runners=1000, stripes=20)).least == 10.0


def test_a_batch_has_a_bound() -> None:
    assert max(sizes(make_list([0.001] * 50_000), runners=1)) <= MOST_UNITS


@given(st.lists(st.floats(0, 1000), max_size=60), st.integers(1, 20))
def test_every_unit_is_given_out_once_and_the_end_is_reached(seconds: list[float], runners: int) -> None:
    found = sizes(make_list(sorted(seconds, reverse=True), runners=runners), runners=runners)
    assert sum(found) == len(seconds)
    assert all(found)
