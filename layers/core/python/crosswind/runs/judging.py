"""What a run is worth: pure. Nothing is green by absence, and infrastructure is judged apart from tests (ADR 0006).

The order of the questions is the rule: cancelled, then infrastructure, then failed tests that no gate tolerates and no
quarantine mutes, then missing or unreadable evidence, then the gates, then chaos that was wanted and was not there, then all
skipped; what is left has passed, and only if every count agrees. Tolerated failures are named in the verdict: a gate may let a run pass, never hide what failed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import BudgetMetric, GatesSpec, duration_seconds
from crosswind.runs.model import RunFailure, Verdict
from crosswind.runs.rounds import StageNotRun

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a verdict may rest on. What is unknown is None and never counts as good."""

    cancelled: bool = False
    cancelled_by: str | None = None
    failure: RunFailure | None = None
    planned: bool = False  # there is a plan
    plan_reason: str | None = None  # why the plan has nothing to run
    plan_errors: Sequence[str] = ()
    counts: Mapping[CaseStatus, int] | None = None  # folded cases; None: nothing was folded
    failed_names: Sequence[str] = ()  # some of those that failed and are not muted, worst first
    muted: int = 0  # of the failed ones, those in quarantine: reported, and no reason to fail
    new_failures: int | None = None  # of the others, those that did not fail before; None: nobody knows
    measured: Mapping[tuple[BudgetMetric, str | None], float] = field(
        default_factory=dict
    )  # seconds, by test job
    faults: Sequence[str] = ()
    lost_shards: Sequence[str] = ()  # shards given up by infrastructure or never ended, as sentences
    not_run: Sequence[StageNotRun] = ()
    left_out: Sequence[str] = ()  # stages that their own conditions left out, as sentences
    gates: GatesSpec = field(default_factory=GatesSpec)
    not_under_chaos: Sequence[str] = ()  # required experiments that were not in while tests ran, as sentences
    beside: Sequence[str] = ()  # what experiments beside stages came to, as sentences


def judge(evidence: Evidence) -> Verdict:
    """The verdict and a sentence that a person can act on."""
    questions = (_cancelled, _infrastructure, _failed, _inconclusive, _gates, _not_under_chaos, _skipped)
    for question in questions:
        verdict = question(evidence)
        if verdict is not None:
            return verdict
    return _passed(evidence)


def _count(evidence: Evidence, *statuses: CaseStatus) -> int:
    counts = evidence.counts or {}
    return sum(counts.get(status, 0) for status in statuses or tuple(CaseStatus))


def _red(evidence: Evidence) -> int:
    return _count(evidence, CaseStatus.FAILED, CaseStatus.ERROR)


def _gating(evidence: Evidence) -> int:
    """Failed tests that are not in quarantine."""
    return max(_red(evidence) - evidence.muted, 0)


@dataclass(frozen=True, slots=True)
class _Tolerance:
    """What the gates say of failed tests. Without a gate that speaks of them nothing is tolerated."""

    holds: bool = False
    sentence: str | None = None


def _tolerance(evidence: Evidence) -> _Tolerance:
    gates, red = evidence.gates, _gating(evidence)
    sentences = []
    holds = False
    if gates.max_failure_percent is not None:
        ran = _count(evidence) - _count(evidence, CaseStatus.SKIPPED, CaseStatus.MISSING)
        percent = 100 * red / ran if ran else 100.0
        holds = percent <= gates.max_failure_percent
        allows = f"gate maxFailurePercent allows {gates.max_failure_percent:g}%"
        sentences.append(f"That is {percent:.1f}% of those that ran, and {allows}.")
    if gates.no_new_failures:
        new = red if evidence.new_failures is None else evidence.new_failures
        holds = new == 0 and (holds or gates.max_failure_percent is None)
        known = (
            f"{red - new} of them failed before on the default branch" if red > new else "None failed before"
        )
        sentences.append(
            f"{known}; gate noNewFailures allows no new one." if new else f"{known}: none is new."
        )
    return _Tolerance(holds=holds, sentence=" ".join(sentences) or None)


def _muted(evidence: Evidence) -> str | None:
    if not evidence.muted:
        return None
    return f"{_tests(evidence.muted)} in quarantine failed too and {'does' if evidence.muted == 1 else 'do'} not count."


def _verdict(kind: VerdictKind, *sentences: str | None) -> Verdict:
    return Verdict(kind=kind, reason=" ".join(sentence for sentence in sentences if sentence))


def _cancelled(evidence: Evidence) -> Verdict | None:
    if not evidence.cancelled:
        return None
    by = f" by {evidence.cancelled_by}" if evidence.cancelled_by else ""
    done = _count(
        evidence,
        CaseStatus.PASSED,
        CaseStatus.FLAKY,
        CaseStatus.SKIPPED,
        CaseStatus.FAILED,
        CaseStatus.ERROR,
    )
    before = f"Until then {_tests(done)} had ended, of which {_red(evidence)} failed." if done else None
    return _verdict(VerdictKind.CANCELLED, f"The run was cancelled{by}.", before, _names(evidence))


def _infrastructure(evidence: Evidence) -> Verdict | None:
    sentences: list[str] = []
    if evidence.failure is not None:
        sentences.append(_failure(evidence.failure))
    if evidence.lost_shards:
        first = _sentence(evidence.lost_shards[0])
        others = len(evidence.lost_shards) - 1
        sentences.append(first + (f" {_many(others, 'other shard')} had no end either." if others else ""))
    if not sentences:
        return None
    red = _gating(evidence)
    also = f"Apart from that, {_tests(red)} failed." if red else None
    return _verdict(
        VerdictKind.ERROR, *sentences, _missing(evidence), also, _names(evidence), _stages(evidence)
    )


def _failure(failure: RunFailure) -> str:
    if failure.kind == "setup":
        return f"The tests could not be prepared: {_ended(failure.detail)}"
    if failure.kind == "timeout":
        return _sentence(failure.detail)
    return f"{failure.state} gave up: {_ended(failure.detail)}"


def _failed(evidence: Evidence) -> Verdict | None:
    red = _gating(evidence)
    if not red or _tolerance(evidence).holds:
        return None
    return _verdict(
        VerdictKind.FAILED,
        f"{red} of {_tests(_count(evidence))} failed.",
        _tolerance(evidence).sentence,
        _names(evidence),
        _muted(evidence),
        _missing(evidence),
        _faults(evidence),
        _stages(evidence),
        *evidence.beside,
    )


def _inconclusive(evidence: Evidence) -> Verdict | None:
    if not evidence.planned:
        return _verdict(
            VerdictKind.INCONCLUSIVE, "The run has no plan, so it is not known which tests belong to it."
        )
    if evidence.counts is None:
        return _verdict(VerdictKind.INCONCLUSIVE, "The results of the run were never put together.")
    absent = _missing(evidence)
    faults = _faults(evidence)
    errors = _sentence(evidence.plan_errors[0]) if evidence.plan_errors else None
    if absent or faults or errors:
        return _verdict(
            VerdictKind.INCONCLUSIVE,
            f"{_nothing_failed(evidence)}, but the evidence is not complete ({_tests(_count(evidence))}).",
            absent,
            faults,
            errors,
            _stages(evidence),
        )
    if not _count(evidence):
        nothing = "No test ran: check the tests' paths, the command and the report globs."
        return _verdict(
            VerdictKind.INCONCLUSIVE, _sentence(evidence.plan_reason) if evidence.plan_reason else nothing
        )
    if evidence.not_run or evidence.plan_reason:
        reason = _sentence(evidence.plan_reason) if evidence.plan_reason else None
        return _verdict(VerdictKind.INCONCLUSIVE, "The run did not reach its end.", reason, _stages(evidence))
    return None


def _not_under_chaos(evidence: Evidence) -> Verdict | None:
    if not evidence.not_under_chaos:
        return None
    return _verdict(
        VerdictKind.INCONCLUSIVE,
        f"{_nothing_failed(evidence)}, but not under the chaos that was wanted.",
        *map(_sentence, evidence.not_under_chaos),
        *evidence.beside,
    )


def _gates(evidence: Evidence) -> Verdict | None:
    gates = evidence.gates
    total = _count(evidence)
    skipped = _count(evidence, CaseStatus.SKIPPED)
    broken = []
    if gates.min_tests is not None and total - skipped < gates.min_tests:
        broken.append(f"{_tests(total - skipped)} ran, and gate minTests asks for {gates.min_tests}.")
    percent = 100 * skipped / total
    if gates.max_skipped_percent is not None and percent > gates.max_skipped_percent:
        broken.append(
            f"{skipped} of {_tests(total)} ({percent:.1f}%) were skipped, and gate maxSkippedPercent allows "
            f"{gates.max_skipped_percent:g}%."
        )
    broken.extend(_over_budget(evidence))
    if not broken:
        return None
    return _verdict(VerdictKind.FAILED, f"{_nothing_failed(evidence)}, but a gate did.", *broken)


def _nothing_failed(evidence: Evidence) -> str:
    return "No test failed that counts" if _red(evidence) else "No test failed"


def _over_budget(evidence: Evidence) -> Iterator[str]:
    """Budgets that are exceeded, and those for which nothing was measured: what is not known is not within bounds."""
    for budget in evidence.gates.budgets:
        of = f" of test job {budget.test!r}" if budget.test else ""
        most = duration_seconds(budget.max)
        measured = evidence.measured.get((budget.metric, budget.test))
        if measured is None:
            yield f"Budget {budget.metric.value}{of} could not be judged: nothing was measured."
        elif measured > most:
            yield f"{budget.metric.value}{of} was {measured:.1f} s, and its budget is {budget.max}."


def _skipped(evidence: Evidence) -> Verdict | None:
    total = _count(evidence)
    if _count(evidence, CaseStatus.SKIPPED) < total:
        return None
    subject = "The only test was" if total == 1 else f"All {_tests(total)} were"
    return _verdict(VerdictKind.SKIPPED, f"{subject} skipped.")


def _passed(evidence: Evidence) -> Verdict:
    passed = _count(evidence, CaseStatus.PASSED, CaseStatus.FLAKY)
    skipped = _count(evidence, CaseStatus.SKIPPED)
    flaky = _count(evidence, CaseStatus.FLAKY)
    skips = f", {skipped} skipped" if skipped else ""
    unstable = f"{_tests(flaky)} passed only after another try (flaky)." if flaky else None
    if not passed:
        return _verdict(
            VerdictKind.INCONCLUSIVE, "No test passed, and none failed that counts.", _muted(evidence)
        )
    tolerated = _gating(evidence)
    failed = f"{tolerated} of {_tests(_count(evidence))} failed." if tolerated else None
    return _verdict(
        VerdictKind.PASSED,
        f"{_tests(passed)} passed{skips}.",
        unstable,
        failed,
        _tolerance(evidence).sentence if tolerated else None,
        _names(evidence) if tolerated else None,
        _muted(evidence),
        *evidence.left_out,
        *evidence.beside,
    )


def _missing(evidence: Evidence) -> str | None:
    missing = _count(evidence, CaseStatus.MISSING)
    if not missing:
        return None
    has = "has" if missing == 1 else "have"
    return f"{_many(missing, 'planned test')} {has} no result."


def _faults(evidence: Evidence) -> str | None:
    if not evidence.faults:
        return None
    others = len(evidence.faults) - 1
    return _sentence(evidence.faults[0]) + (f" {_many(others, 'other fault')} beside it." if others else "")


def _names(evidence: Evidence) -> str | None:
    names = evidence.failed_names[:_NAMED]
    if not names:
        return None
    others = _gating(evidence) - len(names)
    more = f" and {others} more" if others > 0 else ""
    return f"Failed: {', '.join(names)}{more}."


def _stages(evidence: Evidence) -> str | None:
    if not evidence.not_run:
        return None
    named = ", ".join(
        f"{stage.name!r}" + (f" ({_tests(stage.tests)})" if stage.tests is not None else "")
        for stage in evidence.not_run
    )
    many = len(evidence.not_run) > 1
    return f"Stage{'s' if many else ''} {named} {'were' if many else 'was'} not run because of that."


def _tests(count: int) -> str:
    return _many(count, "test")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _sentence(text: str) -> str:
    """As a sentence: with a capital, unless it begins with a name such as shard-00001, and a full stop."""
    stripped = text.strip()
    first = stripped.split(" ", 1)[0]
    if first.isalpha():
        stripped = stripped[0].upper() + stripped[1:]
    return _ended(stripped)


def _ended(text: str) -> str:
    """With a full stop."""
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?")) else stripped + "."
