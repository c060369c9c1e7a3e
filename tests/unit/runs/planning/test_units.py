"""What is kept together. Input: test ids and estimates. Output: units in the order of discovery. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from crosswind.runs.history.model import Timing
from crosswind.runs.planning.estimates import estimate
from crosswind.runs.planning.units import units_of
from tests.unit.runs.planning.samples import PYTEST

NAMES = st.builds(
    "{}.py::{}{}[{}]".format,
    st.sampled_from("abc"),
    st.sampled_from(["", "TestX::", "TestY::", "TestY::TestZ::"]),
    st.sampled_from(["test_1", "test_2", "test_3"]),
    st.sampled_from(["p", "q::r", "[s]"]),
)


def grouped(
    *ids: str, grain: float, seconds: dict[str, float] | None = None, at_least: int = 1
) -> list[tuple[str, ...]]:
    timings = {name: Timing(each, 0, 1) for name, each in (seconds or {}).items()}
    found = units_of(ids, estimate(ids, timings), framework=PYTEST, grain_seconds=grain, at_least=at_least)
    return [unit.test_ids for unit in found]


def test_a_file_that_is_short_enough_stays_whole() -> None:
    assert grouped("a.py::x", "b.py::y", "a.py::T::z", grain=2) == [("a.py::x", "a.py::T::z"), ("b.py::y",)]


def test_a_file_that_is_too_long_is_broken_by_class_and_a_class_by_test() -> None:
    ids = ("a.py::x", "a.py::T::y", "a.py::T::z", "a.py::U::v", "a.py::U::w")
    seconds = dict.fromkeys(ids, 1.0) | {"a.py::U::v": 9.0}
    assert grouped(*ids, grain=2, seconds=seconds) == [
        ("a.py::x",),
        ("a.py::T::y", "a.py::T::z"),
        ("a.py::U::v",),
        ("a.py::U::w",),
    ]


def test_colons_inside_of_parameters_part_nothing() -> None:
    assert grouped("a.py::x[b::c]", "a.py::x[d::e]", grain=5) == [("a.py::x[b::c]", "a.py::x[d::e]")]
    assert grouped("a.py::x[b::c]", "a.py::x[b::d]", grain=1) == [("a.py::x[b::c]",), ("a.py::x[b::d]",)]


def test_who_asks_for_many_shards_gets_so_many_units() -> None:
    ids = ("a.py::long", *(f"b.py::t{number}" for number in range(8)))
    seconds = dict.fromkeys(ids, 0.1) | {"a.py::long": 50.0}
    assert len(grouped(*ids, grain=10, seconds=seconds)) == 2
    assert len(grouped(*ids, grain=10, seconds=seconds, at_least=5)) >= 5


@given(st.lists(NAMES, unique=True, min_size=1, max_size=40), st.floats(0.001, 100), st.integers(1, 60))
def test_every_test_is_in_one_unit_and_only_single_tests_exceed_the_grain(
    ids: list[str], grain: float, at_least: int
) -> None:
    found = units_of(ids, estimate(ids, {}), framework=PYTEST, grain_seconds=grain, at_least=at_least)
    assert sorted(test_id for unit in found for test_id in unit.test_ids) == sorted(ids)
    assert all(len(unit.test_ids) == 1 or unit.seconds <= grain for unit in found)
    assert len(found) >= min(at_least, len(ids))
