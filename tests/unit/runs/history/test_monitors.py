"""The monitors: what makes a test flaky or broken, and what ends it."""

from datetime import timedelta

import pytest

from crosswind.runs.history.model import FlakyState, Monitor, TestHistory
from crosswind.runs.history.monitors import (
    RATE_SAMPLE,
    RETRY_CLEAN_RUNS,
    RETRY_DAYS,
    STALE_AFTER,
    standing,
)
from tests.unit.runs.history.samples import STEP, after, runs, seen, told


def alarms(history: TestHistory) -> set[Monitor]:
    return {alarm.monitor for alarm in history.alarms}


def test_a_test_that_always_passes_is_healthy() -> None:
    assert told(runs("p" * 60)).state is FlakyState.HEALTHY


def test_a_pass_on_retry_within_one_run_makes_a_test_flaky() -> None:
    history = told(runs("ppl"))
    assert (history.state, alarms(history)) == (FlakyState.FLAKY, {Monitor.RETRY})
    assert history.reason == "It failed and then passed in run-00000000000000000000000002."
    assert history.since == seen(2, "l").at


def test_a_pass_after_a_failure_of_the_same_commit_makes_a_test_flaky() -> None:
    history = told([seen(1, "f", commit="a" * 40), seen(2, "p", commit="a" * 40)])
    assert alarms(history) == {Monitor.RETRY}
    assert (
        history.reason
        == "It failed and then passed on commit aaaaaaaaaaaa in run-00000000000000000000000002."
    )


@pytest.mark.parametrize("commits", [("a" * 40, "b" * 40), (None, None)], ids=["another", "unknown"])
def test_a_pass_on_another_commit_or_an_unknown_one_is_a_repair(commits: tuple[str | None, ...]) -> None:
    history = told(
        seen(number, outcome, commit=commit)
        for number, outcome, commit in zip((1, 2), "fp", commits, strict=True)
    )
    assert history.state is FlakyState.HEALTHY


def test_a_failure_after_a_pass_of_the_same_commit_is_no_retry() -> None:
    assert told(runs("pf", commit="a" * 40)).state is FlakyState.HEALTHY


def test_a_retry_counts_on_any_branch() -> None:
    assert told(runs("l", default_branch=False)).state is FlakyState.FLAKY


def test_the_retry_alarm_ends_after_a_week_though_no_run_tells_so() -> None:
    history = told(runs("l"))
    week = seen(0, "l").at + RETRY_DAYS
    assert standing(history, now=week - STEP).state is FlakyState.FLAKY
    assert standing(history, now=week).state is FlakyState.HEALTHY


def test_evidence_of_a_week_ago_does_not_start_the_alarm_again() -> None:
    history = told([seen(0, "l"), seen(24 * 8, "p"), seen(24 * 9, "p")])
    assert history.state is FlakyState.HEALTHY


def test_new_evidence_starts_the_week_again_and_keeps_the_beginning() -> None:
    history = told([seen(0, "l"), seen(24 * 5, "l")])
    assert history.since == seen(0, "l").at
    assert standing(history, now=seen(24 * 11, "p").at).state is FlakyState.FLAKY


def test_the_retry_alarm_ends_after_a_hundred_clean_runs_though_only_fifty_are_kept() -> None:
    quick = [
        seen(number, "p", at=seen(0, "l").at + number * timedelta(minutes=1)) for number in range(1, 101)
    ]
    history = told([seen(0, "l"), *quick[: RETRY_CLEAN_RUNS - 1]])
    assert history.state is FlakyState.FLAKY
    assert told(quick[-1:], history).state is FlakyState.HEALTHY


def test_failed_runs_are_not_clean() -> None:
    start = seen(0, "l").at
    mixed = [
        seen(number, "p" if number % 10 else "f", at=start + number * timedelta(minutes=1))
        for number in range(1, 105)
    ]
    (alarm, *_) = told([seen(0, "l"), *mixed]).alarms
    assert alarm.clean_runs == 94


def test_a_run_told_again_is_not_a_second_clean_run() -> None:
    history = told([seen(0, "l"), *runs("pp", first=1), *runs("pp", first=1)])
    assert history.alarms[0].clean_runs == 2


def test_five_changes_on_the_default_branch_are_too_many() -> None:
    assert told(runs("pfpfp")).state is FlakyState.HEALTHY
    history = told(runs("pfpfpf"))
    assert alarms(history) == {Monitor.TRANSITIONS}
    assert history.reason == "It changed between passing and failing 5 times in 6 runs on the default branch."


def test_changes_on_other_branches_are_work_in_progress() -> None:
    assert told(runs("pf" * 9, default_branch=False)).state is FlakyState.HEALTHY


def test_the_transitions_alarm_ends_at_a_lower_threshold_than_it_begins() -> None:
    history = told(runs("pfpfpf"))
    for number in range(6, 6 + 18):
        history = told([seen(number, "p")], history)
        if Monitor.TRANSITIONS not in alarms(history):
            break
    assert number == 23  # 2 changes are left in the window of 20; with 3 and 4 it still held


def test_too_few_runs_say_nothing_of_a_rate() -> None:
    history = told(runs("ffpp" * 4 + "ffp", default_branch=False))
    assert len(history.observations) == RATE_SAMPLE - 1
    assert history.state is FlakyState.HEALTHY


def test_a_rate_of_thirty_percent_in_separate_series_makes_a_test_flaky() -> None:
    history = told(runs("pppppppfffpppppppfff", default_branch=False))
    assert alarms(history) == {Monitor.FAILURE_RATE}
    assert history.reason == "It failed in 6 of 20 runs (30%), in 2 separate series."


def test_one_series_of_failures_is_a_regression_and_not_flaky() -> None:
    assert told(runs("p" * 14 + "f" * 6 + "p" * 4)).state is FlakyState.HEALTHY


def test_the_rate_alarm_holds_between_its_thresholds_and_ends_at_the_lower_one() -> None:
    failing = "pppppppfffpppppppfff"
    held = told(runs(failing + "p" * 19, default_branch=False))  # 6 of 39: 15.4%
    assert alarms(held) == {Monitor.FAILURE_RATE}
    assert told(runs(failing + "p" * 20, default_branch=False)).state is FlakyState.HEALTHY  # 6 of 40: 15%
    fresh = told(runs("pppppppppfppppppfffp" + "p" * 6, default_branch=False))  # 4 of 26, never at 30%
    assert fresh.state is FlakyState.HEALTHY


def test_the_rate_is_that_of_the_default_branch_where_it_ran_there() -> None:
    elsewhere = runs("fp" * 15, default_branch=False)
    assert Monitor.FAILURE_RATE not in alarms(told([*runs("p" * 20, first=40), *elsewhere]))


def test_an_alarm_is_stale_when_the_test_has_not_run_for_a_month() -> None:
    observations = runs("pppppppfffpppppppfff", default_branch=False)
    history = told(observations)
    assert standing(history, now=observations[-1].at + STALE_AFTER).state is FlakyState.HEALTHY


def test_a_test_that_fails_nearly_always_is_broken_and_not_flaky() -> None:
    observations = runs("p" * 5 + "f" * 12)
    history = told(observations)
    assert (history.state, history.reason) == (FlakyState.BROKEN, "It failed in 10 of its last 10 runs.")
    assert history.since == observations[5].at
    assert told(runs("f" * 9)).state is FlakyState.HEALTHY


def test_one_pass_among_ten_does_not_mend_a_broken_test() -> None:
    assert told(runs("f" * 12 + "p" + "f" * 3)).state is FlakyState.BROKEN
    assert told(runs("f" * 12 + "pp")).state is not FlakyState.BROKEN


def test_runs_in_which_most_tests_failed_count_for_no_monitor() -> None:
    outage = runs("f" * 20, first=10, counted=False)
    retried = [seen(40, "l", counted=False)]
    history = told([*runs("p" * 10), *outage, *retried, *runs("p", first=50)])
    assert history.state is FlakyState.HEALTHY
    assert standing(history, now=after(outage)).alarms == ()
