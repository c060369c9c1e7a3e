"""What the history says of a failure: is it new, and is it chance? Pure; for `why` and for gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crosswind.runs.history.model import Observation, Outcome, TestHistory
from crosswind.runs.history.monitors import FAILING, TOLD, passes_after_failures

_PRIOR_ODDS = 0.1  # of a test of which no failure is known yet
_PRIOR_WEIGHT = 1.0  # in failures
_LONGEST_CHANCE = 2  # failures in a row that may pass again by chance; more are a regression


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A failure that was there before this run: since when, and how often."""

    since_run: str
    since: datetime
    failures: int  # of the series, as far as it is kept
    on_default_branch: bool


def known_failure(history: TestHistory | None, *, run_id: str) -> KnownFailure | None:
    """The series of failures that the test was in before the run; None: it is new with this run.

    What counts is the default branch. Of a test that no run saw there, every run counts.
    """
    before = _before(history, run_id)
    relevant = [each for each in before if each.default_branch] or before
    series: list[Observation] = []
    for each in reversed(relevant):
        if each.outcome not in FAILING:
            break
        series.append(each)
    if history is None or not series:
        return None
    first = series[-1]
    whole = len(series) == len(relevant)
    since_run = history.first_failed_run if whole and first.default_branch else None
    return KnownFailure(
        since_run=since_run or first.run_id,
        since=first.at,
        failures=len(series),
        on_default_branch=first.default_branch,
    )


def flaky_odds(history: TestHistory | None, *, run_id: str | None = None) -> float:
    """How likely a failure of the test is chance, from 0 to 1: the share of its earlier failures that were.

    A failure was chance when the test passed on the same commit after it, or when it passed again after at most two
    failures in a row. Without earlier failures it is 10%; the more there are, the less that counts.
    """
    before = _before(history, run_id)
    retried = {each.run_id for each in passes_after_failures(before)}
    chance = regressions = 0
    series = 0
    for each in before:
        if each.outcome in FAILING:
            series += 1
            continue
        if each.run_id in retried or 0 < series <= _LONGEST_CHANCE:
            chance += 1
        elif series:
            regressions += 1
        series = 0
    if series > _LONGEST_CHANCE:
        regressions += 1
    odds = (chance + _PRIOR_ODDS * _PRIOR_WEIGHT) / (chance + regressions + _PRIOR_WEIGHT)
    return round(odds, 3)


def failure_rate(history: TestHistory) -> float | None:
    """The share of failures in its counted runs; None where there are none."""
    told = _before(history, None)
    return round(sum(each.outcome in FAILING for each in told) / len(told), 3) if told else None


def outcomes(history: TestHistory) -> str:
    """Its outcomes as letters, oldest first."""
    return "".join(Outcome(each.outcome).value for each in history.observations)


def _before(history: TestHistory | None, run_id: str | None) -> Sequence[Observation]:
    """Counted observations that tell of the test, up to the run."""
    found = []
    for each in history.observations if history else ():
        if each.run_id == run_id:
            break
        if each.counted and each.outcome in TOLD:
            found.append(each)
    return found
