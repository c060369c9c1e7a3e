"""How one more observation changes what is known of a test. Pure; the order in which runs are told does not matter."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.history import monitors
from crosswind.runs.history.model import Observation, Outcome, TestHistory, Timing
from crosswind.runs.history.monitors import FAILING, PASSING, TOLD

OBSERVATIONS = 50
DURATIONS = 10
NAME_CHARACTERS = 1_000
FORGET_AFTER = timedelta(days=90)  # a test that no run has told of for so long is gone
MOST_FAILED_PERCENT = 80
MOST_FAILED_TESTS = 10  # of fewer tests "most" says nothing

OUTCOMES: Mapping[CaseStatus, Outcome] = {
    CaseStatus.PASSED: Outcome.PASSED,
    CaseStatus.FAILED: Outcome.FAILED,
    CaseStatus.ERROR: Outcome.ERROR,
    CaseStatus.FLAKY: Outcome.FLAKY,
    CaseStatus.SKIPPED: Outcome.SKIPPED,
    CaseStatus.MISSING: Outcome.MISSING,
}


def tells_of_tests(counts: Mapping[str, int]) -> bool:
    """Whether a run's failures tell of its tests: not where most failed at once. `counts` is by CaseStatus."""
    failed = counts.get(CaseStatus.FAILED, 0) + counts.get(CaseStatus.ERROR, 0)
    told = failed + counts.get(CaseStatus.PASSED, 0) + counts.get(CaseStatus.FLAKY, 0)
    return told < MOST_FAILED_TESTS or 100 * failed <= MOST_FAILED_PERCENT * told


def observe(
    history: TestHistory | None, *, case_id: str, name: str, observation: Observation, now: datetime
) -> TestHistory:
    """The history with one more observation; the same history when it was known, or is older than all that is kept."""
    before = history or TestHistory(id=case_id, name=name[:NAME_CHARACTERS], first_seen=observation.at)
    known = next((each for each in before.observations if each.run_id == observation.run_id), None)
    if known is not None and _untimed(known) == _untimed(observation):
        return before
    others = [each for each in before.observations if each is not known]
    kept = _bounded(sorted([*others, observation], key=lambda each: (each.at, each.run_id)))
    if observation.run_id not in {each.run_id for each in kept}:
        return before if before.first_seen <= observation.at else replace(before, first_seen=observation.at)
    changed = replace(
        before,
        observations=kept,
        first_seen=min(before.first_seen, observation.at),
        first_failed_run=_first_failed_run(kept, before.first_failed_run),
    )
    return monitors.assess(changed, fresh=None if known else observation, now=now)


def is_forgotten(history: TestHistory, *, now: datetime) -> bool:
    """Whether nothing was told of the test for so long that it is taken for removed."""
    return not history.observations or now - history.observations[-1].at >= FORGET_AFTER


def shortened(history: TestHistory, *, keep: int) -> TestHistory:
    """With the newest observations only, for a page that would not fit otherwise."""
    return replace(history, observations=history.observations[-keep:])


def timing(seconds: Sequence[float]) -> Timing:
    """Of at least one passing run."""
    middle = statistics.median(seconds)
    spread = statistics.median(abs(each - middle) for each in seconds)
    return Timing(seconds=middle, spread_seconds=spread, samples=len(seconds))


def passing_seconds(history: TestHistory) -> tuple[float, ...]:
    """The durations that a timing is made of, oldest first."""
    return tuple(
        each.seconds for each in history.observations if each.outcome in PASSING and each.seconds is not None
    )


def _bounded(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """The newest that tell of the test, with durations of the last that passed.

    Of skipped and missing ones only the newest of all is kept: it says that the test still exists, and a test that is
    skipped for weeks keeps what is known of it.
    """
    told = [each for each in observations if each.outcome in TOLD][-OBSERVATIONS:]
    passing = [each for each in told if each.outcome in PASSING]
    timed = {each.run_id for each in passing[-DURATIONS:]}
    kept = [each if each.run_id in timed else _untimed(each) for each in told]
    if observations[-1].outcome not in TOLD:
        kept.append(_untimed(observations[-1]))
    return tuple(kept)


def _untimed(observation: Observation) -> Observation:
    return observation if observation.seconds is None else replace(observation, seconds=None)


def _first_failed_run(kept: Sequence[Observation], known: str | None) -> str | None:
    """The run with which the present series of failures on the default branch began, though it be no longer kept."""
    relevant = [each for each in kept if each.default_branch and each.counted and each.outcome in TOLD]
    first: Observation | None = None
    for each in reversed(relevant):
        if each.outcome not in FAILING:
            return first.run_id if first else None
        first = each
    if first is None:
        return None
    is_evicted = known is not None and known not in {each.run_id for each in relevant}
    return known if is_evicted else first.run_id
