"""Thresholds judged on merged data only. What was never measured never holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crosswind.contracts.load import MetricKind, ThresholdResult
from crosswind.runs.load.expressions import OF_KIND, Expression, ThresholdError, parse
from crosswind.runs.load.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of the merged data, as thresholds see it."""

    kind: MetricKind
    count: int
    sum: float
    last: float | None = None
    histogram: Histogram | None = None


def judge(
    thresholds: Mapping[str, Sequence[str]], metrics: Mapping[str, Measured], *, seconds: float
) -> tuple[ThresholdResult, ...]:
    """Each threshold with the figure that decided it; `held` is None where there is none."""
    results = []
    for name, expressions in thresholds.items():
        measured = metrics.get(name)
        for text in dict.fromkeys(expressions):
            value, held = _judged(text, measured, seconds=seconds)
            results.append(ThresholdResult(metric=name, expression=text, value=value, held=held))
    return tuple(results)


def _judged(text: str, measured: Measured | None, *, seconds: float) -> tuple[float | None, bool | None]:
    try:
        expression = parse(text)
    except ThresholdError:
        return None, None
    if measured is None or not measured.count or expression.aggregation not in OF_KIND[measured.kind]:
        return None, None
    value = figure(expression, measured, seconds=seconds)
    return (None, None) if value is None else (value, expression.holds(value))


def figure(expression: Expression, measured: Measured, *, seconds: float) -> float | None:
    """What a threshold compares with its limit; None where there is no such figure."""
    if measured.kind is MetricKind.TREND:
        return _of_trend(expression, measured.histogram or Histogram())
    if measured.kind is MetricKind.RATE:
        return measured.sum / measured.count
    if measured.kind is MetricKind.GAUGE:
        return measured.last
    if expression.aggregation == "count":
        return measured.sum
    return measured.sum / seconds if seconds > 0 else None


def _of_trend(expression: Expression, histogram: Histogram) -> float | None:
    if not histogram.count:
        return None
    exact = {"avg": histogram.mean, "min": histogram.least, "max": histogram.greatest}
    if expression.aggregation in exact:
        return exact[expression.aggregation]
    return histogram.percentile(50.0 if expression.percent is None else expression.percent)
