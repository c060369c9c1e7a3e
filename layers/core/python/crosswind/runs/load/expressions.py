"""What a threshold says: k6's expressions, with units where a person would write them.

`p(95)<500` of a trend, `rate<0.01` of a rate, `count>100` and `rate>=20` of a counter, `value<5` of a gauge. A metric may be
narrowed down by tags, as in `http_req_duration{scenario:buy}`. Read wherever suites are: needs no histogram.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crosswind.contracts.load import CanonicalMetric, MetricKind

_PATTERN = re.compile(
    r"\s*(?:(?P<name>avg|count|max|med|min|rate|value)|p\(\s*(?P<percent>[0-9]{1,3}(?:\.[0-9]{1,6})?)\s*\))"
    r"\s*(?P<operator><=|>=|===|==|!=|<|>)\s*(?P<limit>[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?P<unit>ms|s|m|%)?\s*"
)
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "===": operator.eq,
    "!=": operator.ne,
}
_MILLISECONDS = {"ms": 1.0, "s": 1000.0, "m": 60_000.0}
OF_KIND: Mapping[MetricKind, frozenset[str]] = {
    MetricKind.TREND: frozenset({"avg", "min", "med", "max", "p"}),
    MetricKind.RATE: frozenset({"rate"}),
    MetricKind.COUNTER: frozenset({"count", "rate"}),
    MetricKind.GAUGE: frozenset({"value"}),
}
"""What can be asked of each kind of metric; `p` with a number."""

_SELECTOR = re.compile(r"(?P<metric>[^{}]+)(?:\{(?P<tags>[^{}]*)\})?")

CANONICAL_KINDS: Mapping[str, MetricKind] = {
    CanonicalMetric.LATENCY: MetricKind.TREND,
    CanonicalMetric.THROUGHPUT: MetricKind.COUNTER,
    CanonicalMetric.ERROR_RATE: MetricKind.RATE,
}


class ThresholdError(ValueError):
    """What is written is no threshold; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A threshold as it is judged. Its limit is in the metric's own unit."""

    aggregation: str  # `p` with `percent`
    percent: float | None
    operator: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether a value is within it."""
        return _OPERATORS[self.operator](value, self.limit)


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name and the tags that a sample must have to count."""

    metric: str
    tags: tuple[tuple[str, str], ...] = ()

    def takes(self, tags: Mapping[str, object]) -> bool:
        """Whether a sample with these tags counts."""
        return all(str(tags.get(name)) == value for name, value in self.tags)


def parse(text: str) -> Expression:
    """The expression. Raises ThresholdError."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise ThresholdError("is no threshold")
    percent = float(found["percent"]) if found["percent"] else None
    if percent is not None and percent > 100:  # noqa: PLR2004  # percent
        raise ThresholdError("asks for more than 100 percent")
    unit, aggregation = found["unit"], found["name"] or "p"
    limit = float(found["limit"])
    if unit == "%":
        if aggregation != "rate":
            raise ThresholdError("`%` is for rates")
        limit /= 100
    elif unit is not None:
        if aggregation in {"rate", "count"}:
            raise ThresholdError(f"`{unit}` is for times")
        limit *= _MILLISECONDS[unit]
    return Expression(aggregation, percent, found["operator"], limit)


def parse_for(metric: str, text: str) -> Expression:
    """The expression, where it can be asked of a canonical metric; of others the kind is not known beforehand."""
    expression = parse(text)
    kind = CANONICAL_KINDS.get(metric)
    if kind is not None and expression.aggregation not in OF_KIND[kind]:
        asked = ", ".join(sorted("p(N)" if name == "p" else name for name in OF_KIND[kind]))
        raise ThresholdError(f"`{metric}` has {asked} only")
    return expression


def select(name: str) -> Selector:
    """What a threshold's metric selects. Raises ThresholdError."""
    found = _SELECTOR.fullmatch(name.strip())
    if found is None:
        raise ThresholdError("is no metric")
    tags = []
    for part in (found["tags"] or "").split(","):
        if not part.strip():
            continue
        tag, colon, value = part.partition(":")
        if not colon:
            raise ThresholdError(f"`{part.strip()}` is no `tag:value`")
        tags.append((tag.strip(), value.strip().strip("'\"")))
    return Selector(found["metric"].strip(), tuple(tags))
