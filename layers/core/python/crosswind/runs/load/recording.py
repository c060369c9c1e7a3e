"""What one worker measures, while it measures: samples go into counts and histograms at once, and none is kept."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from crosswind.contracts.load import (
    CanonicalMetric,
    LoadResult,
    MeasuredCheck,
    MeasuredMetric,
    MeasuredRequests,
    MeasuredSlice,
    MetricKind,
)
from crosswind.runs.load.expressions import CANONICAL_KINDS, Selector, ThresholdError, select
from crosswind.runs.load.histogram import ACCURACY, Histogram, merged

MOST_SLICES = 240
MOST_NAMES = 200
MOST_METRICS = 300
OTHER = "(other)"
"""Stands for all names beyond the first ones: a script that makes a name of each address has no end of them."""

_NAME_CHARS = 300
_MESSAGE_CHARS = 500


@dataclass(slots=True)
class _Metric:
    kind: MetricKind
    count: int = 0
    sum: float = 0.0
    last: float | None = None
    histogram: Histogram = field(default_factory=Histogram)

    def add(self, value: float) -> None:
        if not math.isfinite(value):
            return
        self.count += 1
        if self.kind is MetricKind.TREND:
            self.histogram.add(value)
        elif self.kind is MetricKind.RATE:
            self.sum += value != 0
        elif self.kind is MetricKind.COUNTER:
            self.sum += value
        else:
            self.last = value

    def measured(self, name: str) -> MeasuredMetric:
        trend = self.kind is MetricKind.TREND
        return MeasuredMetric(
            name=name,
            kind=self.kind,
            count=self.count,
            sum=self.histogram.sum if trend else self.sum,
            last=self.last,
            histogram=self.histogram.encode() if trend else None,
        )


@dataclass(slots=True)
class _Part:
    count: int = 0
    errors: int = 0
    histogram: Histogram = field(default_factory=Histogram)
    message: str | None = None

    def add(self, milliseconds: float, *, ok: bool, message: str | None) -> None:
        self.count += 1
        self.histogram.add(milliseconds)
        if not ok:
            self.errors += 1
            if self.message is None and message:
                self.message = message[:_MESSAGE_CHARS]

    def take(self, other: "_Part") -> None:
        self.count += other.count
        self.errors += other.errors
        self.histogram.merge(other.histogram)


@dataclass(slots=True)
class _Requests:
    """By name, and by slice of time. Slices grow to twice their length, two into one, when there are too many."""

    start_at: float
    slice_seconds: int = 1
    names: dict[str, _Part] = field(default_factory=dict)
    slices: dict[int, _Part] = field(default_factory=dict)

    def add(self, name: str, milliseconds: float, *, ok: bool, at: float, message: str | None) -> None:
        known = self.names.get(name)
        if known is None:
            shown = name[:_NAME_CHARS] if len(self.names) < MOST_NAMES else OTHER
            known = self.names.setdefault(shown, _Part())
        known.add(milliseconds, ok=ok, message=message)
        index = max(int((at - self.start_at) // self.slice_seconds), 0)
        while index >= MOST_SLICES:
            self._double()
            index //= 2
        part = self.slices.get(index)
        if part is None:
            part = self.slices[index] = _Part()
        part.add(milliseconds, ok=ok, message=None)

    def _double(self) -> None:
        self.slice_seconds *= 2
        halves, self.slices = self.slices, {}
        for index in sorted(halves):
            self.slices.setdefault(index // 2, _Part()).take(halves[index])


class Recorder:
    """Takes a worker's samples. `selectors` names metrics that thresholds narrow down by tags."""

    def __init__(self, *, tool: str, start_at: float, selectors: Iterable[str] = ()) -> None:
        self._tool = tool
        self._start_at = start_at
        self._metrics: dict[str, _Metric] = {}
        self._narrowed: dict[str, list[tuple[str, Selector]]] = {}
        self._kinds: dict[str, MetricKind] = {}
        self._requests = _Requests(start_at)
        self._iterations = _Requests(start_at)
        self._checks: dict[str, list[int]] = {}
        self._first_at = math.inf
        self._last_at = -math.inf
        self.unread = 0
        for name in selectors:
            self._narrow(name)

    def _narrow(self, name: str) -> None:
        try:
            selector = select(name)
        except ThresholdError:
            return
        if selector.tags:
            self._narrowed.setdefault(selector.metric, []).append((name, selector))

    @property
    def count(self) -> int:
        """Requests so far."""
        return sum(part.count for part in self._requests.names.values())

    @property
    def errors(self) -> int:
        """Of these, those that failed."""
        return sum(part.errors for part in self._requests.names.values())

    def declare(self, name: str, kind: MetricKind) -> None:
        """There is such a metric, whether a sample of it comes or not."""
        if name in self._kinds or len(self._kinds) < MOST_METRICS:
            self._kinds[name] = kind
        else:
            self.unread += 1

    def sample(self, name: str, value: float, tags: Mapping[str, object], *, at: float) -> None:
        """A sample of one of the tool's metrics. One of a metric that was never declared is left out."""
        kind = self._kinds.get(name)
        if kind is None:
            return
        self._seen(at)
        self._metric(name, kind).add(value)
        for full, selector in self._narrowed.get(name, ()):
            if selector.takes(tags):
                self._metric(full, kind).add(value)

    def request(
        self, name: str, milliseconds: float, *, ok: bool, at: float, message: str | None = None
    ) -> None:
        """A request that ended. Its canonical metrics have the tag `name`."""
        self._seen(at)
        self._requests.add(name, milliseconds, ok=ok, at=at, message=message)
        for metric, value in (
            (CanonicalMetric.LATENCY, milliseconds),
            (CanonicalMetric.THROUGHPUT, 1.0),
            (CanonicalMetric.ERROR_RATE, float(not ok)),
        ):
            for full, selector in self._narrowed.get(metric, ()):
                if selector.takes({"name": name}):
                    self._metric(full, CANONICAL_KINDS[metric]).add(value)

    def iteration(self, name: str, milliseconds: float, *, at: float) -> None:
        """An iteration of a script: stands for its requests where the tool tells of none."""
        self._seen(at)
        self._iterations.add(name, milliseconds, ok=True, at=at, message=None)

    def check(self, name: str, *, ok: bool) -> None:
        """A check of the script."""
        known = self._checks.get(name)
        if known is None:
            shown = name[:_NAME_CHARS] if len(self._checks) < MOST_NAMES else OTHER
            known = self._checks.setdefault(shown, [0, 0])
        known[0 if ok else 1] += 1

    def result(self, thresholds: Mapping[str, Sequence[str]]) -> LoadResult:
        """All of it."""
        requests = self._requests
        unit: Literal["requests", "iterations"] = "requests"
        if not requests.names and self._iterations.names:
            requests, unit = self._iterations, "iterations"
        metrics = [metric.measured(name) for name, metric in self._metrics.items()]
        return LoadResult(
            tool=self._tool,
            unit=unit,
            accuracy=ACCURACY,
            start_at=self._start_at,
            first_at=self._first_at if math.isfinite(self._first_at) else None,
            last_at=self._last_at if math.isfinite(self._last_at) else None,
            slice_seconds=requests.slice_seconds,
            metrics=(*_canonical(requests), *metrics),
            requests=tuple(
                MeasuredRequests(
                    name=name,
                    count=part.count,
                    errors=part.errors,
                    histogram=part.histogram.encode(),
                    message=part.message,
                )
                for name, part in requests.names.items()
            ),
            checks=tuple(
                MeasuredCheck(name=name, passes=passes, fails=fails)
                for name, (passes, fails) in self._checks.items()
            ),
            slices=tuple(
                MeasuredSlice(
                    index=index,
                    requests=part.count,
                    errors=part.errors,
                    histogram=part.histogram.encode(),
                )
                for index, part in sorted(requests.slices.items())
            ),
            thresholds={name: tuple(texts) for name, texts in thresholds.items()},
            unread=self.unread,
        )

    def _metric(self, name: str, kind: MetricKind) -> _Metric:
        known = self._metrics.get(name)
        if known is None:
            known = self._metrics[name] = _Metric(kind)
        return known

    def _seen(self, at: float) -> None:
        self._first_at = min(self._first_at, at)
        self._last_at = max(self._last_at, at)


def _canonical(requests: _Requests) -> tuple[MeasuredMetric, ...]:
    """Latency, throughput and error rate: of the slices, which hold every request once."""
    count = sum(part.count for part in requests.slices.values())
    errors = sum(part.errors for part in requests.slices.values())
    latency = merged(part.histogram for part in requests.slices.values())
    return (
        MeasuredMetric(
            name=CanonicalMetric.LATENCY,
            kind=MetricKind.TREND,
            count=latency.count,
            sum=latency.sum,
            histogram=latency.encode(),
        ),
        MeasuredMetric(
            name=CanonicalMetric.THROUGHPUT, kind=MetricKind.COUNTER, count=count, sum=float(count)
        ),
        MeasuredMetric(name=CanonicalMetric.ERROR_RATE, kind=MetricKind.RATE, count=count, sum=float(errors)),
    )
