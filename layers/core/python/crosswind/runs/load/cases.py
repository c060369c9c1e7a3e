"""What a load job's merged data say, as test cases: thresholds decide, and nothing is green by absence. Pure.

One case tells that there was a load at all, one more each threshold, check, named request and compared figure. Errors that
no threshold speaks of fail the check or the request that they belong to; what never once succeeded fails whatever a
threshold allows.
"""

from collections.abc import Iterator, Mapping, Sequence

from crosswind.contracts.load import (
    CanonicalMetric,
    Comparable,
    ComparedFigure,
    ComparisonVerdict,
    LoadComparison,
    ThresholdResult,
)
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.load.expressions import ThresholdError, parse
from crosswind.runs.load.judged import LoadCase
from crosswind.runs.load.merging import Merged, Requests

LOAD = "load"
"""The name of the case that tells of the load as a whole."""

_ERRORS = frozenset({CanonicalMetric.ERROR_RATE.value, "http_req_failed"})
_CHECKS = "checks"


def cases(
    merged: Merged,
    thresholds: Sequence[ThresholdResult],
    comparison: LoadComparison | None,
    *,
    workers: int,
) -> tuple[LoadCase, ...]:
    """All cases of a job whose workers all measured to the end."""
    return (
        _load(merged, workers),
        *map(_threshold, thresholds),
        *_checks(merged, tolerated=_speaks(thresholds, {_CHECKS})),
        *_requests(merged, tolerated=_speaks(thresholds, _ERRORS)),
        *_compared(comparison),
    )


def not_judged(reason: str) -> tuple[LoadCase, ...]:
    """The one case of a job that not all workers have measured."""
    return (LoadCase(LOAD, CaseStatus.ERROR, f"The load was not judged: {reason}"),)


def comparison_fault(comparison: LoadComparison | None) -> str | None:
    """Why a wanted comparison leaves the evidence incomplete; None where it does not."""
    open_figures = [
        figure
        for figure in (comparison.figures if comparison else ())
        if figure.verdict is ComparisonVerdict.INCONCLUSIVE
    ]
    if not open_figures or comparison is None:
        return None
    named = "; ".join(_effect(figure, comparison) for figure in open_figures)
    baseline = comparison.baseline_run or "the baseline"
    return f"the comparison with {baseline} is inconclusive: {named}"


def _load(merged: Merged, workers: int) -> LoadCase:
    if not merged.count:
        return LoadCase(
            LOAD,
            CaseStatus.ERROR,
            f"No request was sent by {_many(workers, 'worker')}: check the script and its options.",
        )
    throughput = f", {merged.count / merged.seconds:.1f} a second" if merged.seconds > 0 else ""
    text = (
        f"{_many(merged.count, merged.unit[:-1])} by {_many(workers, 'worker')} in {merged.seconds:.1f} s"
        f"{throughput}, {merged.errors} failed"
    )
    if merged.unread:
        lines = _many(merged.unread, "line")
        return LoadCase(LOAD, CaseStatus.ERROR, f"{text}; {lines} of the tool's output cannot be read.")
    return LoadCase(LOAD, CaseStatus.PASSED, f"{text}.", seconds=merged.seconds)


def _threshold(result: ThresholdResult) -> LoadCase:
    name = f"threshold {result.metric} {result.expression}"
    if result.held is None or result.value is None:
        return LoadCase(
            name,
            CaseStatus.ERROR,
            f"{result.metric} was never measured, or has no such figure, so nothing holds.",
        )
    figure = f"{_asked(result.expression)} of {result.metric} was {result.value:.6g}"
    if result.held:
        return LoadCase(name, CaseStatus.PASSED, f"{figure}, over all workers.")
    return LoadCase(
        name, CaseStatus.FAILED, f"{figure}, over all workers; the threshold is {result.expression}."
    )


def _checks(merged: Merged, *, tolerated: bool) -> Iterator[LoadCase]:
    for name, (passes, fails) in merged.checks.items():
        text = f"{fails} of {_many(passes + fails, 'time')} it did not hold"
        status = _status(fails, passes + fails, tolerated=tolerated)
        yield LoadCase(f"check {name}", status, f"{text}{_decided(status, fails, 'checks')}.")


def _requests(merged: Merged, *, tolerated: bool) -> Iterator[LoadCase]:
    for name, part in merged.requests.items():
        status = _status(part.errors, part.count, tolerated=tolerated)
        text = f"{part.errors} of {_many(part.count, merged.unit[:-1])} failed"
        first = f"; the first: {part.message}" if part.message else ""
        yield LoadCase(
            f"{merged.unit[:-1]} {name}",
            status,
            f"{text}{_decided(status, part.errors, 'errors')}{first}.",
            _latency(part),
        )


def _compared(comparison: LoadComparison | None) -> Iterator[LoadCase]:
    if comparison is None:
        return
    if comparison.reason is not None:
        yield LoadCase("baseline", CaseStatus.SKIPPED, f"Nothing was compared: {comparison.reason}.")
    statuses: Mapping[ComparisonVerdict, CaseStatus] = {
        ComparisonVerdict.WITHIN: CaseStatus.PASSED,
        ComparisonVerdict.WORSE: CaseStatus.FAILED,
        ComparisonVerdict.INCONCLUSIVE: CaseStatus.SKIPPED,
    }
    for figure in comparison.figures:
        yield LoadCase(f"baseline {figure.name}", statuses[figure.verdict], f"{_effect(figure, comparison)}.")


def _effect(figure: ComparedFigure, comparison: LoadComparison) -> str:
    """Such as `latency.p95 12.1% worse (8.3 to 15.9 with 95% confidence), limit 10%: worse`."""
    unit = " points" if figure.name is Comparable.ERROR_RATE else "%"
    parts = [str(figure.name)]
    if figure.effect is not None:
        parts.append(f"{abs(figure.effect):.2f}{unit} {'worse' if figure.effect > 0 else 'better'}")
    if figure.low is not None and figure.high is not None:
        interval = f"{figure.low:+.2f} to {figure.high:+.2f}"
        parts.append(f"({interval} with {comparison.confidence_percent:g}% confidence; + is worse)")
    limit = f"limit {comparison.max_regression_percent:g}{unit}"
    why = f", {figure.reason}" if figure.reason else ""
    return f"{' '.join(parts)}, {limit}: {figure.verdict}{why}"


def _status(failed: int, count: int, *, tolerated: bool) -> CaseStatus:
    if not count:
        return CaseStatus.ERROR
    return CaseStatus.PASSED if not failed or (tolerated and failed < count) else CaseStatus.FAILED


def _decided(status: CaseStatus, failed: int, what: str) -> str:
    if not failed or status is not CaseStatus.PASSED:
        return ""
    return f"; the threshold on {what} decides"


def _speaks(thresholds: Sequence[ThresholdResult], metrics: set[str] | frozenset[str]) -> bool:
    """Whether a threshold without tags bounds one of these rates, and could be judged."""
    return any(result.metric in metrics and result.held is not None for result in thresholds)


def _asked(expression: str) -> str:
    try:
        parsed = parse(expression)
    except ThresholdError:
        return expression
    return f"p({parsed.percent:g})" if parsed.percent is not None else parsed.aggregation


def _latency(part: Requests) -> str | None:
    if not part.histogram.count:
        return None
    named = ((f"p{percent:g}", part.histogram.percentile(percent)) for percent in (50.0, 95.0, 99.0))
    return ", ".join(f"{name} {value:.4g} ms" for name, value in named if value is not None)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
