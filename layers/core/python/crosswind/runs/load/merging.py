"""The results of N workers become those of one: counts and histograms add up, and nothing is averaged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crosswind.contracts.load import (
    CanonicalMetric,
    LoadFigure,
    LoadPoint,
    LoadResult,
    MeasuredCheck,
    MeasuredMetric,
    MeasuredRequests,
    MeasuredSlice,
    MetricKind,
)
from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.load.histogram import Histogram
from crosswind.runs.load.thresholds import Measured

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(slots=True)
class Requests:
    """Some of the requests."""

    count: int = 0
    errors: int = 0
    histogram: Histogram = field(default_factory=Histogram)
    message: str | None = None

    def take(self, part: MeasuredRequests | MeasuredSlice) -> None:
        """Those of another worker, too."""
        if isinstance(part, MeasuredRequests):
            self.count += part.count
            self.message = self.message or part.message
        else:
            self.count += part.requests
        self.errors += part.errors
        self.histogram.merge(Histogram.decode(part.histogram))


@dataclass(frozen=True, slots=True)
class Merged:
    """What all workers measured together."""

    tool: str
    unit: str
    accuracy: float
    start_at: float
    seconds: float  # from the common start to the last sample
    slice_seconds: int
    metrics: Mapping[str, Measured]
    requests: Mapping[str, Requests]
    checks: Mapping[str, tuple[int, int]]  # passes and fails
    slices: Mapping[int, Requests]
    thresholds: Mapping[str, tuple[str, ...]]
    unread: int

    @property
    def count(self) -> int:
        """Of requests."""
        return sum(part.count for part in self.slices.values())

    @property
    def errors(self) -> int:
        """Of requests that failed."""
        return sum(part.errors for part in self.slices.values())


def merge(results: Sequence[LoadResult]) -> Merged:
    """Put the results of a job's workers together, in any order: the outcome is the same.

    Raises:
        InvalidInputError: There is none, or they measured what cannot be added up.
        DamagedHistogramError: One cannot be read.
    """
    if not results:
        raise InvalidInputError("there is no result to merge")
    counted = [result for result in results if any(part.requests for part in result.slices)] or list(results)
    for what, values in (
        ("tools", {result.tool for result in results}),
        ("accuracies", {result.accuracy for result in results}),
        ("units", {result.unit for result in counted}),
    ):
        if len(values) > 1:
            listed = ", ".join(sorted(map(str, values)))
            raise InvalidInputError(f"the workers' {what} differ, so nothing can be added up: {listed}")
    slice_seconds = max(result.slice_seconds for result in results)
    start_at = min(result.start_at for result in results)
    last_at = max((result.last_at for result in results if result.last_at is not None), default=start_at)
    return Merged(
        tool=results[0].tool,
        unit=counted[0].unit,
        accuracy=results[0].accuracy,
        start_at=start_at,
        seconds=max(last_at - start_at, 0.0),
        slice_seconds=slice_seconds,
        metrics=_metrics(results),
        requests=_requests(results),
        checks=_checks(results),
        slices=_slices(results, slice_seconds),
        thresholds=_thresholds(results),
        unread=sum(result.unread for result in results),
    )


def as_result(merged: Merged) -> LoadResult:
    """As a document: what a later run is compared with."""
    return LoadResult(
        tool=merged.tool,
        unit="iterations" if merged.unit == "iterations" else "requests",
        accuracy=merged.accuracy,
        start_at=merged.start_at,
        first_at=merged.start_at,
        last_at=merged.start_at + merged.seconds,
        slice_seconds=merged.slice_seconds,
        metrics=tuple(
            MeasuredMetric(
                name=name,
                kind=each.kind,
                count=each.count,
                sum=each.sum,
                last=each.last,
                histogram=each.histogram.encode() if each.histogram else None,
            )
            for name, each in merged.metrics.items()
        ),
        requests=tuple(
            MeasuredRequests(
                name=name,
                count=each.count,
                errors=each.errors,
                histogram=each.histogram.encode(),
                message=each.message,
            )
            for name, each in merged.requests.items()
        ),
        checks=tuple(
            MeasuredCheck(name=name, passes=passes, fails=fails)
            for name, (passes, fails) in merged.checks.items()
        ),
        slices=tuple(
            MeasuredSlice(
                index=index, requests=each.count, errors=each.errors, histogram=each.histogram.encode()
            )
            for index, each in sorted(merged.slices.items())
        ),
        thresholds=dict(merged.thresholds),
        unread=merged.unread,
    )


def figures(merged: Merged) -> tuple[LoadFigure, ...]:
    """The canonical figures. What was not measured has none."""
    found = [
        LoadFigure(name="requests", value=float(merged.count)),
        LoadFigure(name="errors", value=float(merged.errors)),
    ]
    if merged.count:
        if merged.seconds > 0:
            found.append(
                LoadFigure(name=CanonicalMetric.THROUGHPUT, value=merged.count / merged.seconds, unit="1/s")
            )
        found.append(
            LoadFigure(name=CanonicalMetric.ERROR_RATE, value=100 * merged.errors / merged.count, unit="%")
        )
    latency = merged.metrics.get(CanonicalMetric.LATENCY)
    if latency is not None and latency.histogram is not None and latency.histogram.count:
        found += _latency(latency.histogram)
    return tuple(found)


def points(merged: Merged) -> tuple[LoadPoint, ...]:
    """One for each slice, those without a request included: a gap is what a chart has to show."""
    if not merged.slices:
        return ()
    nothing = Requests()
    found = []
    for index in range(max(merged.slices) + 1):
        part = merged.slices.get(index, nothing)
        found.append(
            LoadPoint(
                at_seconds=float(index * merged.slice_seconds),
                throughput=part.count / merged.slice_seconds,
                errors=part.errors,
                p50=part.histogram.percentile(50),
                p95=part.histogram.percentile(95),
            )
        )
    return tuple(found)


def percent_name(percent: float) -> str:
    """Such as `p95` and `p99.9`."""
    return f"p{percent:g}"


def _latency(histogram: Histogram) -> Iterable[LoadFigure]:
    named = [(percent_name(percent), histogram.percentile(percent)) for percent in PERCENTILES]
    named += [("avg", histogram.mean), ("min", histogram.least), ("max", histogram.greatest)]
    for name, value in named:
        if value is not None:
            yield LoadFigure(name=f"{CanonicalMetric.LATENCY}.{name}", value=value, unit="ms")


def _requests(results: Sequence[LoadResult]) -> dict[str, Requests]:
    found: dict[str, Requests] = {}
    for part in (part for result in results for part in result.requests):
        found.setdefault(part.name, Requests()).take(part)
    return found


def _slices(results: Sequence[LoadResult], seconds: int) -> dict[int, Requests]:
    """All in slices of the longest length: each shorter length divides it."""
    found: dict[int, Requests] = {}
    for result in results:
        if seconds % result.slice_seconds:
            raise InvalidInputError(f"slices of {result.slice_seconds} s do not fit into {seconds} s")
        for part in result.slices:
            found.setdefault(part.index * result.slice_seconds // seconds, Requests()).take(part)
    return found


def _metrics(results: Sequence[LoadResult]) -> dict[str, Measured]:
    by_name: dict[str, list[MeasuredMetric]] = {}
    for result in results:
        for metric in result.metrics:
            by_name.setdefault(metric.name, []).append(metric)
    return {name: _metric(name, parts) for name, parts in by_name.items()}


def _metric(name: str, parts: Sequence[MeasuredMetric]) -> Measured:
    kinds = {part.kind for part in parts}
    if len(kinds) > 1:
        raise InvalidInputError(f"metric {name!r} is of several kinds: {', '.join(sorted(kinds))}")
    histogram = None
    if parts[0].kind is MetricKind.TREND:
        histogram = Histogram()
        for part in parts:
            if part.histogram is not None:
                histogram.merge(Histogram.decode(part.histogram))
    gauges = [part.last for part in parts if part.last is not None]
    return Measured(
        kind=parts[0].kind,
        count=sum(part.count for part in parts),
        sum=sum(part.sum for part in parts),
        last=sum(gauges) if gauges else None,  # such as `vus`: each worker has its part
        histogram=histogram,
    )


def _checks(results: Sequence[LoadResult]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for result in results:
        for check in result.checks:
            passes, fails = found.get(check.name, (0, 0))
            found[check.name] = (passes + check.passes, fails + check.fails)
    return found


def _thresholds(results: Sequence[LoadResult]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for result in results:
        for name, texts in result.thresholds.items():
            found.setdefault(name, {}).update(dict.fromkeys(texts))
    return {name: tuple(texts) for name, texts in found.items()}
