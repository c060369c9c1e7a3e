"""What a test is taken to last. Input: timings by name. Output: seconds and spread. Pure."""

from crosswind.runs.history.model import Timing
from crosswind.runs.planning.estimates import DEFAULT_SECONDS, LEAST_SECONDS, estimate, estimate_whole


def test_unknown_tests_take_the_median_of_the_known() -> None:
    timings = {"a": Timing(1, 0, 3), "b": Timing(9, 0, 3), "c": Timing(2, 0, 3), "gone": Timing(500, 0, 3)}
    found = estimate(["a", "b", "c", "new"], timings)
    assert found.known == 3
    assert found.of("new").seconds == 2
    assert found.of("b").seconds == 9


def test_without_history_every_test_takes_the_default() -> None:
    found = estimate(["a", "b"], {})
    assert found.known == 0
    assert found.of("a").seconds == DEFAULT_SECONDS


def test_the_spread_is_kept_and_never_nothing() -> None:
    found = estimate(["steady", "shaky"], {"steady": Timing(10, 0, 1), "shaky": Timing(10, 4, 9)})
    assert 0 < found.of("steady").spread < found.of("shaky").spread


def test_a_test_of_no_length_still_counts() -> None:
    assert estimate(["a"], {"a": Timing(0, 0, 5)}).of("a").seconds == LEAST_SECONDS


def test_a_framework_that_splits_itself_is_estimated_from_all_that_was_measured() -> None:
    timings = {"a": Timing(10, 1, 5), "b": Timing(20, 1, 5)}
    assert estimate_whole(timings, shards=3).seconds == 10
    assert estimate_whole({}, shards=3).seconds == DEFAULT_SECONDS
