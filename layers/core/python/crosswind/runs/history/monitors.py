"""Is a test flaky, or broken? Pure rules over its bounded history (ADR 0010).

Three monitors look at counted observations only: those of runs in which most tests did not fail at once.

- Passed on retry: it failed and then passed on one commit, in one run or in two. It ends after a week without
  more of it, or after a hundred clean runs.
- Transitions: it changed between passing and failing too often on the default branch.
- Failure rate: it failed in too large a share of its runs, in more than one series: one series is a regression.

The last two alarm at one threshold and recover at a lower one, so that a test at the edge does not blink.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from crosswind.runs.history.model import Alarm, FlakyState, Monitor, Observation, Outcome, TestHistory

FAILING = frozenset({Outcome.FAILED, Outcome.ERROR})
PASSING = frozenset({Outcome.PASSED, Outcome.FLAKY})
TOLD = FAILING | PASSING
"""Outcomes that tell of the test; skipped and missing do not."""

RETRY_DAYS = timedelta(days=7)
RETRY_CLEAN_RUNS = 100
TRANSITIONS_WINDOW = 20
TRANSITIONS_ALARM = 5  # two regressions and their repairs are four
TRANSITIONS_RECOVER = 2
RATE_WINDOW = 50
RATE_SAMPLE = 20
RATE_ALARM = 0.30
RATE_RECOVER = 0.15
RATE_SERIES = 2
STALE_AFTER = timedelta(days=30)  # a test that has not run for so long is not known to be flaky any more
BROKEN_WINDOW = 10
BROKEN_FAILURES = 9


def assess(history: TestHistory, *, fresh: Observation | None, now: datetime) -> TestHistory:
    """The history with its alarms and state made anew. `fresh` is the observation that was not known before."""
    counted = [each for each in history.observations if each.counted and each.outcome in TOLD]
    known = {alarm.monitor: alarm for alarm in history.alarms}
    found = (
        _retry(counted, known.get(Monitor.RETRY), fresh=fresh, now=now),
        _transitions(counted, known.get(Monitor.TRANSITIONS)),
        _failure_rate(counted, known.get(Monitor.FAILURE_RATE)),
    )
    return _stated(replace(history, alarms=tuple(alarm for alarm in found if alarm)), counted, now=now)


def standing(history: TestHistory, *, now: datetime) -> TestHistory:
    """The history as it stands now: alarms end by time too, though nobody wrote since."""
    counted = [each for each in history.observations if each.counted and each.outcome in TOLD]
    return _stated(history, counted, now=now)


def _stated(history: TestHistory, counted: Sequence[Observation], *, now: datetime) -> TestHistory:
    alarms = tuple(alarm for alarm in history.alarms if not _is_over(alarm, now=now))
    broken = _broken(_of_interest(counted), now=now)
    if broken is not None:
        state, reason, since = FlakyState.BROKEN, *broken
    elif alarms:
        state, reason = FlakyState.FLAKY, " ".join(alarm.reason for alarm in alarms)
        since = min(alarm.since for alarm in alarms)
    else:
        return replace(history, alarms=(), state=FlakyState.HEALTHY, reason=None, since=None)
    return replace(history, alarms=alarms, state=state, reason=reason, since=since)


def _is_over(alarm: Alarm, *, now: datetime) -> bool:
    if alarm.monitor is Monitor.RETRY:
        return now - alarm.last_at >= RETRY_DAYS or alarm.clean_runs >= RETRY_CLEAN_RUNS
    return now - alarm.last_at >= STALE_AFTER


def _retry(
    counted: Sequence[Observation], known: Alarm | None, *, fresh: Observation | None, now: datetime
) -> Alarm | None:
    evidence = next(passes_after_failures(counted), None)
    if evidence is None or (known is not None and evidence.at <= known.last_at):
        return _aged(counted, known, fresh=fresh)
    if now - evidence.at >= RETRY_DAYS:
        return known
    where = "" if evidence.outcome == Outcome.FLAKY else f" on commit {(evidence.commit or '')[:12]}"
    return Alarm(
        monitor=Monitor.RETRY,
        since=known.since if known else evidence.at,
        last_at=evidence.at,
        reason=f"It failed and then passed{where} in {evidence.run_id}.",
        clean_runs=_clean_since(counted, evidence.at),
    )


def _aged(counted: Sequence[Observation], known: Alarm | None, *, fresh: Observation | None) -> Alarm | None:
    """The alarm with the clean runs since. Those that fell out of the window were counted when they came."""
    if known is None:
        return None
    one_more = fresh is not None and _is_clean(fresh) and fresh.at > known.last_at
    return replace(
        known, clean_runs=max(_clean_since(counted, known.last_at), known.clean_runs + int(one_more))
    )


def _clean_since(counted: Sequence[Observation], since: datetime) -> int:
    return sum(_is_clean(each) for each in counted if each.at > since)


def _is_clean(observation: Observation) -> bool:
    return observation.counted and observation.outcome == Outcome.PASSED


def passes_after_failures(counted: Sequence[Observation]) -> Iterator[Observation]:
    """Observations that passed where the same commit had failed before, the newest first."""
    failed_before: set[str] = set()
    found = []
    for each in counted:
        if each.outcome == Outcome.FLAKY or (each.outcome in PASSING and each.commit in failed_before):
            found.append(each)
            failed_before.discard(each.commit or "")
        elif each.outcome in FAILING and each.commit:
            failed_before.add(each.commit)
    return reversed(found)


def _transitions(counted: Sequence[Observation], known: Alarm | None) -> Alarm | None:
    window = [each for each in counted if each.default_branch][-TRANSITIONS_WINDOW:]
    changes = _changes(window)
    if changes <= (TRANSITIONS_RECOVER if known else TRANSITIONS_ALARM - 1):
        return None
    last = window[-1].at
    return Alarm(
        monitor=Monitor.TRANSITIONS,
        since=known.since if known else last,
        last_at=last,
        reason=f"It changed between passing and failing {changes} times in {len(window)} runs on the default branch.",
    )


def _changes(window: Sequence[Observation]) -> int:
    failing = [each.outcome in FAILING for each in window]
    return sum(before != after for before, after in pairwise(failing))


def _failure_rate(counted: Sequence[Observation], known: Alarm | None) -> Alarm | None:
    window = _of_interest(counted)[-RATE_WINDOW:]
    failing = [each.outcome in FAILING for each in window]
    if len(window) < RATE_SAMPLE:
        return None
    rate = sum(failing) / len(window)
    series = sum(now and not before for before, now in pairwise([False, *failing]))
    if known is None and (rate < RATE_ALARM or series < RATE_SERIES):
        return None
    if known is not None and rate <= RATE_RECOVER:
        return None
    last = window[-1].at
    return Alarm(
        monitor=Monitor.FAILURE_RATE,
        since=known.since if known else last,
        last_at=last,
        reason=f"It failed in {sum(failing)} of {len(window)} runs ({rate:.0%}), in {series} separate series.",
    )


def _of_interest(counted: Sequence[Observation]) -> list[Observation]:
    """Those on the default branch; of a test that never ran there, or whose branch nobody tells, all."""
    return [each for each in counted if each.default_branch] or list(counted)


def _broken(observed: Sequence[Observation], *, now: datetime) -> tuple[str, datetime] | None:
    window = observed[-BROKEN_WINDOW:]
    failures = [each for each in window if each.outcome in FAILING]
    if len(window) < BROKEN_WINDOW or len(failures) < BROKEN_FAILURES:
        return None
    if now - window[-1].at >= STALE_AFTER:
        return None
    first = failures[0]
    for each in reversed(observed[:-BROKEN_WINDOW]):
        if each.outcome not in FAILING:
            break
        first = each
    return f"It failed in {len(failures)} of its last {BROKEN_WINDOW} runs.", first.at
