"""New or known, chance or change: what the history says of a failure."""

import pytest

from crosswind.runs.history.knowing import failure_rate, flaky_odds, known_failure, outcomes
from tests.fakes.samples import run_id
from tests.unit.runs.history.samples import runs, seen, told

THIS = run_id(99)


def test_a_failure_is_known_when_the_default_branch_failed_before() -> None:
    known = known_failure(told(runs("ppff")), run_id=THIS)
    assert known is not None
    assert (known.since_run, known.failures, known.on_default_branch) == (run_id(2), 2, True)
    assert known.since == seen(2, "f").at


def test_a_failure_is_new_when_the_test_passed_last() -> None:
    assert known_failure(told(runs("ffp")), run_id=THIS) is None


def test_a_failure_of_an_unknown_test_is_new() -> None:
    assert known_failure(None, run_id=THIS) is None


def test_the_run_itself_and_those_after_it_do_not_make_its_failure_known() -> None:
    history = told(runs("ppff"))
    assert known_failure(history, run_id=run_id(2)) is None
    known = known_failure(history, run_id=run_id(3))
    assert known is not None
    assert known.failures == 1


def test_a_failure_on_a_branch_is_not_known_to_the_default_branch() -> None:
    elsewhere = runs("ff", first=10, default_branch=False)
    assert known_failure(told([*runs("pp"), *elsewhere]), run_id=THIS) is None


def test_without_a_default_branch_every_run_counts() -> None:
    known = known_failure(told(runs("pf", default_branch=False)), run_id=THIS)
    assert known is not None
    assert not known.on_default_branch


def test_an_outage_makes_no_failure_known() -> None:
    assert known_failure(told([*runs("p"), *runs("ff", first=2, counted=False)]), run_id=THIS) is None


def test_a_long_series_keeps_its_beginning() -> None:
    known = known_failure(told(runs("p" + "f" * 80)), run_id=THIS)
    assert known is not None
    assert (known.since_run, known.failures) == (run_id(1), 50)


@pytest.mark.parametrize(
    ("outcomes_", "odds"),
    [
        ("", 0.1),
        ("pppp", 0.1),
        ("plplpl", 0.775),  # three of three were chance
        ("pfpfpp", 0.7),
        ("pfffpp", 0.05),  # a series of three is a regression
        ("pffffpfp", 0.367),
        ("pfff", 0.05),  # and so is one that goes on
        ("pf", 0.1),  # of this one nobody knows yet
    ],
)
def test_odds_are_the_share_of_failures_that_were_chance(outcomes_: str, odds: float) -> None:
    history = told(runs(outcomes_)) if outcomes_ else None
    assert flaky_odds(history) == odds


def test_odds_leave_the_run_in_question_out() -> None:
    history = told(runs("plpl"))
    assert flaky_odds(history, run_id=run_id(3)) == 0.55


def test_the_failure_rate_is_that_of_runs_that_tell() -> None:
    history = told([*runs("pfppsp"), *runs("ff", first=10, counted=False)])
    assert failure_rate(history) == 0.2
    assert outcomes(history) == "pfpppff"
    assert failure_rate(told(runs("s"))) is None
