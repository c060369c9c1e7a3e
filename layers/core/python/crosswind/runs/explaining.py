"""Why a run is as it is, in sentences that a person can act on. Pure: from what the stores know of it.

What is unknown is left out or said to be unknown, never guessed. Numbers and names stand in every sentence that has them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from crosswind.contracts.explaining import Cause
from crosswind.contracts.pods import PodState
from crosswind.contracts.queueing import WaitingView
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.clock import from_iso
from crosswind.runs import infrastructure
from crosswind.runs.evidence import RED
from crosswind.runs.history.knowing import KnownFailure
from crosswind.runs.model import Case, Run, Work
from crosswind.runs.pods.model import PodRecord

LIKELY_CHANCE = 0.5
LEAST_ALIKE = 2
_GROUPS = 5
_EXAMPLES = 3
_MESSAGE_CHARS = 200
_POD_STATES = {
    PodState.REFUSED: "The cluster has not taken its Job yet",
    PodState.LAUNCHED: "Nothing is known of its pod yet",
    PodState.PENDING: "Its pod is pending",
}
_VARYING = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8,}|\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Failing:
    """A failed test and its past. `seen` tells whether there is a past at all."""

    case: Case
    seen: bool = False
    known: KnownFailure | None = None
    odds: float | None = None


@dataclass(frozen=True, slots=True)
class First:
    """The failed test whose shard ended first."""

    case: Case
    at: datetime


@dataclass(frozen=True, slots=True)
class Alike:
    """Failed tests with the same message, numbers apart."""

    message: str
    tests: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a run when somebody asks why."""

    run: Run
    waiting: WaitingView | None = None
    failing: Sequence[Failing] = ()  # those that gate first; maybe not all
    failed: int = 0  # all of them, muted ones too
    muted: int = 0
    first: First | None = None
    lost: Sequence[Work] = ()
    made_good: Sequence[Work] = ()  # what lost attempts and was not given up
    history_known: bool = True  # False: the history did not answer
    pods: Sequence[PodRecord] = ()  # launched, and not begun yet


def cause(facts: Facts) -> Cause:
    """Where the run's colour comes from."""
    verdict = facts.run.verdict
    if verdict is None:
        return Cause.NONE
    if verdict.kind is VerdictKind.FAILED:
        return Cause.TESTS if facts.failed > facts.muted else Cause.GATES
    if verdict.kind is VerdictKind.ERROR:
        setup = facts.run.failure is not None and facts.run.failure.kind == "setup"
        return Cause.SETUP if setup else Cause.INFRASTRUCTURE
    return {
        VerdictKind.INCONCLUSIVE: Cause.EVIDENCE,
        VerdictKind.CANCELLED: Cause.CANCELLED,
        VerdictKind.SKIPPED: Cause.SKIPPED,
    }.get(verdict.kind, Cause.NONE)


def alike(failing: Sequence[Failing]) -> tuple[Alike, ...]:
    """Groups of failed tests with one message, the largest first."""
    groups: dict[str, list[Case]] = {}
    for each in failing:
        line = _first_line(each.case.message)
        if line:
            groups.setdefault(_VARYING.sub("#", line), []).append(each.case)
    found = [
        Alike(_first_line(cases[0].message), len(cases), tuple(case.name for case in cases[:_EXAMPLES]))
        for cases in groups.values()
        if len(cases) >= LEAST_ALIKE
    ]
    return tuple(sorted(found, key=lambda group: (-group.tests, group.message))[:_GROUPS])


def explain(facts: Facts) -> tuple[str, ...]:
    """The answer, the most important sentence first."""
    if facts.run.state is RunState.FINISHED:
        return tuple(_ended(facts))
    return tuple(_going_on(facts))


def _going_on(facts: Facts) -> Iterator[str]:
    run = facts.run
    if run.cancel_requested_at is not None:
        yield f"It is being cancelled, as {run.cancelled_by or 'somebody'} asked: what runs is stopped."
    if facts.waiting is not None:
        yield from _waiting(facts.waiting)
    elif run.state in {RunState.ACCEPTED, RunState.PREPARING}:
        yield "Nothing of it waits for a slot: its tests are being prepared."
    elif facts.pods:
        yield f"{_many(len(facts.pods), 'shard')} of it {'has' if len(facts.pods) == 1 else 'have'} a slot and {'waits' if len(facts.pods) == 1 else 'wait'} for a pod to begin."
    elif run.state is RunState.JUDGING:
        yield "All its shards have ended: the results are being put together."
    else:
        yield "Nothing of it waits for a slot: all that may run now runs."
    if run.round > 1:
        yield f"This is round {run.round}: {run.rerun_by or 'somebody'} had its failed tests run again."
    yield from _pods(facts.pods)
    yield from _first(facts)
    if facts.lost:
        yield from _lost(facts.lost)
    yield from _made_good(facts)


def _pods(pods: Sequence[PodRecord]) -> Iterator[str]:
    for pod in pods[:_EXAMPLES]:
        told = f": {pod.detail}" if pod.detail else ""
        again = f", its {_ordinal(pod.carrier.number + 1)} pod" if pod.carrier.number else ""
        yield _sentence(
            f"{pod.carrier.key.work_id} was launched on cluster {pod.cluster} at {_clock(pod.launched_at)}{again}. {pod.placement} "
            f"{_POD_STATES[pod.state]}{told}"
        )
    if len(pods) > _EXAMPLES:
        yield f"{_many(len(pods) - _EXAMPLES, 'other shard')} {'waits' if len(pods) == _EXAMPLES + 1 else 'wait'} likewise."


def _waiting(waiting: WaitingView) -> Iterator[str]:
    yield _sentence(waiting.explanation)
    if waiting.position is not None:
        yield f"It is at place {waiting.position} of the runs that wait; {_many(waiting.waiting, 'shard')} of it wait and {waiting.running} run."
    elif waiting.waiting:
        yield f"{_many(waiting.waiting, 'shard')} of it wait and {waiting.running} run."
    if waiting.holders:
        held = ", ".join(f"team {each.team} {each.slots}" for each in waiting.holders)
        yield f"Slots are held by: {held}."
    if waiting.expected_start is not None:
        first = f", once {_many(waiting.must_finish, 'piece')} of work end" if waiting.must_finish else ""
        yield f"Its next shard is expected to start at {_clock(from_iso(waiting.expected_start))}{first}."
    else:
        yield "When its next shard starts cannot be foreseen."


def _ended(facts: Facts) -> Iterator[str]:
    run, why = facts.run, cause(facts)
    if run.verdict is None:
        yield "It has ended without a verdict: nothing of it was to be judged."
        return
    opening = {
        Cause.TESTS: "Tests failed; infrastructure is not to blame.",
        Cause.GATES: "No test failed that counts, but a gate of the suite did.",
        Cause.SETUP: "Its tests could not be prepared, so none of them ran. It would be the same again.",
        Cause.INFRASTRUCTURE: "Infrastructure failed; it says nothing about the tests that are named as lost.",
        Cause.EVIDENCE: "Its results are not complete, and nothing is green by absence.",
    }.get(why)
    if why is Cause.TESTS and facts.lost:
        opening = "Tests failed. Infrastructure lost work too."
    if opening:
        yield opening
    yield run.verdict.reason
    yield from _first(facts)
    yield from _newness(facts)
    yield from _chance(facts)
    for group in alike(facts.failing)[:1]:
        yield f"{group.tests} of them fail alike: {group.message}"
    if facts.muted and why is not Cause.TESTS:
        yield f"{_many(facts.muted, 'failed test')} in quarantine {_is(facts.muted)} reported and does not gate."
    yield from _lost(facts.lost)
    yield from _made_good(facts)
    for before in run.rounds[-1:]:
        yield f"It had {_many(len(run.rounds), 'round')} before; the last one was {before.verdict.kind.value}: {before.verdict.reason}"


def _first(facts: Facts) -> Iterator[str]:
    if facts.first is not None:
        case, at = facts.first.case, facts.first.at
        message = f": {_first_line(case.message)}" if case.message else "."
        yield f"First to fail was {case.name} in {case.work_id}, which ended at {_clock(at)}{message}"


def _newness(facts: Facts) -> Iterator[str]:
    red = [each for each in facts.failing if each.case.status in RED and each.case.muted is None]
    if not red:
        return
    if not facts.history_known:
        yield "Whether its failures are new is not known: the history did not answer."
        return
    known = [(each, each.known) for each in red if each.known is not None]
    new = [each for each in red if each.seen and each.known is None]
    unseen = len(red) - len(known) - len(new)
    if new:
        yield f"{_many(len(new), 'failure')} {_is(len(new))} new with this run: {_names(new)}."
    if known:
        oldest, since = min(known, key=lambda pair: pair[1].since)
        where = " on the default branch" if since.on_default_branch else ""
        yield (
            f"{_many(len(known), 'failure')} {'was' if len(known) == 1 else 'were'} there before: "
            f"{oldest.case.name} has failed{where} since {since.since_run} ({since.since:%Y-%m-%d})."
        )
    if unseen:
        yield f"{_many(unseen, 'failed test')} {'has' if unseen == 1 else 'have'} no history yet."


def _chance(facts: Facts) -> Iterator[str]:
    likely = [each for each in facts.failing if each.odds is not None and each.odds >= LIKELY_CHANCE]
    for each in likely[:_EXAMPLES]:
        yield (
            f"{each.case.name} may have failed by chance: {round(100 * (each.odds or 0))}% of its earlier "
            "failures passed again without a change."
        )


def _lost(works: Sequence[Work]) -> Iterator[str]:
    for work in works[:_EXAMPLES]:
        yield _sentence(_lost_work(work))
    if len(works) > _EXAMPLES:
        yield f"{_many(len(works) - _EXAMPLES, 'other shard')} had no end either."


def _lost_work(work: Work) -> str:
    if work.commit is None:
        return f"{work.key.work_id} of {work.test} never ended"
    text = work.commit.reason or "the reason is not known"
    reason = infrastructure.reason_in(text)
    meaning = f" because {infrastructure.meaning(reason)}" if reason else ""
    budget = work.infrastructure_retries + 1
    return (
        f"{work.key.work_id} of {work.test} was given up{meaning}, after "
        f"{_many(work.commit.attempt, 'attempt')} of {budget}: {_first_line(text)}"
    )


def _made_good(facts: Facts) -> Iterator[str]:
    lost = [(work, failure) for work in facts.made_good for failure in work.failures]
    if lost:
        yield (
            f"{_many(len(lost), 'attempt')} {'was' if len(lost) == 1 else 'were'} lost to infrastructure "
            "and made again, on the budget for infrastructure: no test counts for it."
        )
    for work, failure in lost[:_EXAMPLES]:
        yield f"{work.key.work_id} lost attempt {failure.attempt}: {failure.reason}: {_first_line(failure.detail)}"


def _names(failing: Sequence[Failing]) -> str:
    named = ", ".join(each.case.name for each in failing[:_EXAMPLES])
    return named + (f" and {len(failing) - _EXAMPLES} more" if len(failing) > _EXAMPLES else "")


def _first_line(text: str | None) -> str:
    line = next((line.strip() for line in (text or "").splitlines() if line.strip()), "")
    return line if len(line) <= _MESSAGE_CHARS else line[:_MESSAGE_CHARS] + " …"


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?")) else f"{stripped}."


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S} UTC"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def failed_statuses() -> tuple[CaseStatus, ...]:
    """Statuses of cases that have failed, worst first."""
    return tuple(status for status in CaseStatus if status in RED)
