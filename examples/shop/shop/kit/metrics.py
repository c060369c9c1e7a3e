"""Counters, gauges and histograms of one service, told in Prometheus's text format. All of their names stand here."""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    """What Prometheus calls the type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, and what it means."""

    name: str
    kind: Kind
    help: str


REQUESTS = Metric("http_requests_total", Kind.COUNTER, "Requests that were answered.")
DURATION = Metric("http_request_duration_seconds", Kind.HISTOGRAM, "How long answering took.")
IN_FLIGHT = Metric("http_requests_in_flight", Kind.GAUGE, "Requests that wait for their answer now.")
CALLS = Metric("dependency_calls_total", Kind.COUNTER, "Calls to other services and the queue that ended.")
ORDERS = Metric("orders_total", Kind.COUNTER, "Orders that were accepted, by the state they were given.")
DUE = Metric("orders_due", Kind.GAUGE, "Orders for which something is still to be done.")
QUEUE_DEPTH = Metric("queue_depth", Kind.GAUGE, "Messages in the queue, those in work included.")
QUEUE_AGE = Metric("queue_oldest_age_seconds", Kind.GAUGE, "Age of the oldest message seen and not done.")
MESSAGES = Metric("messages_total", Kind.COUNTER, "Messages taken from the queue, by what became of them.")


@dataclass
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    total: float = 0.0
    number: int = 0

    def observe(self, value: float) -> None:
        self.total += value
        self.number += 1
        for index, bound in enumerate(BUCKETS):
            if value <= bound:
                self.counts[index] += 1


@dataclass
class Metrics:
    """The figures of one service; safe to use from any thread."""

    service: str
    _numbers: dict[Metric, dict[Labels, float]] = field(default_factory=dict)
    _histograms: dict[Metric, dict[Labels, _Histogram]] = field(default_factory=dict)
    _readers: dict[Metric, Callable[[], Mapping[Labels, float]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Raise a counter; move a gauge."""
        key = _key(labels)
        with self._lock:
            numbers = self._numbers.setdefault(metric, {})
            numbers[key] = numbers.get(key, 0) + amount

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            self._numbers.setdefault(metric, {})[_key(labels)] = value

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Add a value to a histogram."""
        with self._lock:
            self._histograms.setdefault(metric, {}).setdefault(_key(labels), _Histogram()).observe(value)

    def read(self, metric: Metric, reader: Callable[[], Mapping[Labels, float]]) -> None:
        """Ask `reader` for a gauge's values each time that they are told."""
        self._readers[metric] = reader

    def text(self) -> str:
        """Everything, in the text format."""
        with self._lock:
            numbers = {metric: dict(values) for metric, values in self._numbers.items()}
            histograms = {
                (metric, key): (list(each.counts), each.total, each.number)
                for metric, values in self._histograms.items()
                for key, each in values.items()
            }
        numbers |= {metric: dict(reader()) for metric, reader in self._readers.items()}
        lines: list[str] = []
        for metric, values in numbers.items():
            lines += _head(metric)
            lines += [self._line(metric.name, key, value) for key, value in values.items()]
        for metric in dict.fromkeys(metric for metric, _ in histograms):
            lines += _head(metric)
            for (other, key), (counts, total, number) in histograms.items():
                if other == metric:
                    lines += self._histogram(metric.name, key, counts, total=total, number=number)
        return "\n".join(lines) + "\n"

    def _histogram(
        self, name: str, key: Labels, counts: list[int], *, total: float, number: int
    ) -> list[str]:
        bounds = (*BUCKETS, math.inf)
        lines = [
            self._line(f"{name}_bucket", (*key, ("le", _number(bound))), count)
            for bound, count in zip(bounds, (*counts, number), strict=True)
        ]
        return [*lines, self._line(f"{name}_sum", key, total), self._line(f"{name}_count", key, number)]

    def _line(self, name: str, labels: Labels, value: float) -> str:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in (("service", self.service), *labels))
        return f"{name}{{{told}}} {_number(value)}"


def _key(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _head(metric: Metric) -> list[str]:
    return [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if float(value).is_integer() else repr(value)
