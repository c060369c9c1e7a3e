"""Groups of tests. Input: names. Output: the group that a name begins with. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.runs.frameworks.groups import group_of, group_timings
from crosswind.runs.history.model import Timing

GROUPS = frozenset({"a.js", "a.js > inner", "web/b.js"})


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("a.js > adds", "a.js"),
        ("a.js > inner > adds", "a.js > inner"),
        ("a.js", "a.js"),
        ("a.js (suite)", "a.js"),
        ("a.js > totals (suite)", "a.js"),
        ("a.jsx > adds", None),
        ("b.js > adds", None),
        ("", None),
        (" > adds", None),
    ],
)
def test_a_test_belongs_to_the_longest_group_that_its_name_begins_with(name: str, group: str | None) -> None:
    assert group_of(name, GROUPS, " > ") == group


@given(st.sampled_from(sorted(GROUPS)), st.lists(st.text(min_size=1), min_size=1))
def test_every_name_below_a_group_belongs_to_a_group_that_it_begins_with(group: str, rest: list[str]) -> None:
    found = group_of(" > ".join((group, *rest)), GROUPS, " > ")

    assert found is not None
    assert found.startswith(group)


def test_a_group_takes_as_long_as_its_tests_together() -> None:
    timings = {
        "a.js > x": Timing(2.0, 0.3, samples=5),
        "a.js > y": Timing(1.0, 0.4, samples=2),
        "gone.js > z": Timing(9.0, 1.0, samples=9),
    }

    found = group_timings(("a.js", "new.js"), timings, separator=" > ")

    assert found.keys() == {"a.js"}
    assert found["a.js"].seconds == pytest.approx(3.0)
    assert found["a.js"].spread_seconds == pytest.approx(0.5)
    assert found["a.js"].samples == 2
