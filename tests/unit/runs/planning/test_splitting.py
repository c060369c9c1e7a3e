"""How tests are split into fixed lists, and ordered to be pulled. Input: ids and timings. Output: shares. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.history.model import Timing
from crosswind.runs.planning.estimates import estimate
from crosswind.runs.planning.splitting import Share, prove, pull_order, split
from crosswind.runs.planning.units import units_of
from tests.unit.runs.planning.samples import PYTEST

IDS = st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=60)


def parts(ids: list[str], count: int, seconds: dict[str, float] | None = None) -> tuple[Share, ...]:
    timings = {name: Timing(each, 0, 1) for name, each in (seconds or {}).items()}
    return split(ids, framework=PYTEST, shards=count, timings=timings)


@given(IDS, st.integers(1, 80), st.data())
def test_every_test_is_in_exactly_one_shard_and_no_shard_is_empty(
    ids: list[str], shards: int, data: st.DataObject
) -> None:
    known = data.draw(st.lists(st.sampled_from(ids), unique=True) if ids else st.just([]))
    seconds = {name: data.draw(st.floats(0, 1e6)) for name in known}
    shares = parts(ids, shards, seconds)
    assert sorted(test_id for share in shares for test_id in share.test_ids or ()) == sorted(ids)
    assert all(share.test_ids for share in shares)
    assert len(shares) == min(shards, len(ids))
    assert shares == parts(ids, shards, dict(reversed(seconds.items())))


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=40), st.integers(1, 8))
def test_the_longest_shard_is_no_worse_than_list_scheduling_allows(seconds: list[float], count: int) -> None:
    durations = {f"t{number}": value for number, value in enumerate(seconds)}
    longest = max(share.seconds for share in parts(list(durations), count, durations))
    lower_bound = max(sum(seconds) / min(count, len(seconds)), *seconds, 0)
    assert longest <= lower_bound * 2 + 1e-6


def test_without_durations_neighbours_stay_together() -> None:
    shares = parts([f"t{number}" for number in range(10)], 3)
    assert [share.test_ids for share in shares] == [
        ("t0", "t1", "t2"),
        ("t3", "t4", "t5"),
        ("t6", "t7", "t8", "t9"),
    ]


def test_with_durations_the_longest_tests_are_spread_first() -> None:
    shares = parts(["a", "b", "c", "d"], 2, {"a": 1.0, "b": 9.0, "c": 1.0, "d": 8.0})
    assert [share.test_ids for share in shares] == [("b", "c"), ("a", "d")]


def test_a_test_that_is_listed_twice_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="'a'"):
        parts(["a", "b", "a"], 2)


def test_a_list_to_pull_from_has_the_longest_first_and_equal_ones_as_discovered() -> None:
    ids = ["a.py::x", "b.py::y", "c.py::z", "c.py::w"]
    timings = {"b.py::y": Timing(9.0, 0, 1), "a.py::x": Timing(1.0, 0, 1)}
    units = units_of(ids, estimate(ids, timings), framework=PYTEST, grain_seconds=20)
    assert [unit.test_ids for unit in pull_order(units)] == [
        ("c.py::z", "c.py::w"),
        ("b.py::y",),
        ("a.py::x",),
    ]


@pytest.mark.parametrize("lost", [[("a",)], [("a", "b"), ("b",)], [("a", "b"), ()]])
def test_a_split_that_loses_or_doubles_a_test_does_not_leave_the_planner(lost: list[tuple[str, ...]]) -> None:
    with pytest.raises(AssertionError):
        prove(["a", "b"], lost)
