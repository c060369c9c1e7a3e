"""How tests are split. Input: test ids and durations. Output: shares. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.planning import AUTO_TESTS_PER_SHARD, Method, split

IDS = st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=60)
SHARDS = st.one_of(st.just("auto"), st.integers(min_value=1, max_value=80))


@given(IDS, SHARDS, st.data())
def test_every_test_is_in_exactly_one_shard_and_no_shard_is_empty(
    ids: list[str], shards: int, data: st.DataObject
) -> None:
    known = data.draw(st.lists(st.sampled_from(ids), unique=True) if ids else st.just([]))
    seconds = data.draw(
        st.lists(st.floats(min_value=0, max_value=1e6), min_size=len(known), max_size=len(known))
    )
    durations = dict(zip(known, seconds, strict=True))
    parts = split(ids, shards=shards, durations=durations, at_most=10)
    planned = [test_id for share in parts.shares for test_id in share.test_ids or ()]
    assert sorted(planned) == sorted(ids)
    assert all(share.test_ids for share in parts.shares)
    assert parts == split(ids, shards=shards, durations=dict(reversed(durations.items())), at_most=10)


@given(st.lists(st.floats(min_value=0.1, max_value=100), min_size=1, max_size=40), st.integers(1, 8))
def test_the_longest_shard_is_no_worse_than_list_scheduling_allows(seconds: list[float], count: int) -> None:
    durations = {f"t{number}": value for number, value in enumerate(seconds)}
    parts = split(list(durations), shards=count, durations=durations, at_most=100)
    longest = max(share.estimate_seconds for share in parts.shares)
    lower_bound = max(sum(seconds) / min(count, len(seconds)), *seconds, 0)
    assert longest <= lower_bound * 2 + 1e-6


def test_without_durations_neighbours_stay_together() -> None:
    parts = split([f"t{number}" for number in range(10)], shards=3, durations={}, at_most=100)
    assert [share.test_ids for share in parts.shares] == [
        ("t0", "t1", "t2"),
        ("t3", "t4", "t5"),
        ("t6", "t7", "t8", "t9"),
    ]
    assert parts.method is Method.BY_COUNT


def test_with_durations_the_longest_tests_are_spread_first() -> None:
    durations = {"a": 1.0, "b": 9.0, "c": 1.0, "d": 8.0}
    parts = split(["a", "b", "c", "d"], shards=2, durations=durations, at_most=100)
    assert [share.test_ids for share in parts.shares] == [("b", "c"), ("a", "d")]
    assert parts.method is Method.BY_DURATION


def test_auto_is_bounded_by_the_concurrency() -> None:
    ids = [f"t{number}" for number in range(AUTO_TESTS_PER_SHARD * 10)]
    assert len(split(ids, shards="auto", durations={}, at_most=100).shares) == 10
    assert len(split(ids, shards="auto", durations={}, at_most=4).shares) == 4


def test_a_framework_that_lists_no_tests_runs_whole() -> None:
    assert [share.test_ids for share in split(None, shards="auto", durations={}, at_most=9).shares] == [None]
    assert len(split(None, shards=3, durations={}, at_most=9).shares) == 3


def test_no_tests_give_no_shards() -> None:
    assert split([], shards=4, durations={}, at_most=9).shares == ()


def test_a_test_that_is_listed_twice_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="'a'"):
        split(["a", "b", "a"], shards=2, durations={}, at_most=9)
