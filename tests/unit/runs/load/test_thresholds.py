"""Thresholds: k6's expressions and ours, and what they come to on merged data."""

import pytest

from crosswind.contracts.load import MetricKind
from crosswind.runs.load.expressions import Expression, ThresholdError, parse, parse_for, select
from crosswind.runs.load.histogram import Histogram
from crosswind.runs.load.thresholds import Measured, judge


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("p(95)<500", Expression("p", 95.0, "<", 500.0)),
        ("p(99.9) <= 1.5s", Expression("p", 99.9, "<=", 1500.0)),
        ("avg<200ms", Expression("avg", None, "<", 200.0)),
        ("med < 80", Expression("med", None, "<", 80.0)),
        ("rate<0.01", Expression("rate", None, "<", 0.01)),
        ("rate < 1%", Expression("rate", None, "<", 0.01)),
        ("rate>=20", Expression("rate", None, ">=", 20.0)),
        ("count>100", Expression("count", None, ">", 100.0)),
        ("value===3", Expression("value", None, "===", 3.0)),
        (" max != 2 ", Expression("max", None, "!=", 2.0)),
    ],
)
def test_expressions(text: str, wanted: Expression) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p95<500", "is no threshold"),
        ("p(101)<500", "more than 100"),
        ("avg<5%", "for rates"),
        ("count<5s", "for times"),
        ("rate<", "is no threshold"),
        ("p(95)<500; rm", "is no threshold"),
        ("", "is no threshold"),
    ],
)
def test_what_is_no_expression(text: str, told: str) -> None:
    with pytest.raises(ThresholdError, match=told):
        parse(text)


def test_a_canonical_metric_is_asked_for_what_it_has() -> None:
    assert parse_for("latency", "p(95)<500").limit == 500
    assert parse_for("my_trend", "rate<1").aggregation == "rate"
    with pytest.raises(ThresholdError, match=r"`latency` has avg, max, med, min, p\(N\) only"):
        parse_for("latency", "rate<0.1")


def test_selectors() -> None:
    chosen = select("http_req_duration{scenario:buy, expected_response:'true'}")

    assert chosen.metric == "http_req_duration"
    assert chosen.takes({"scenario": "buy", "expected_response": "true", "more": "x"})
    assert not chosen.takes({"scenario": "buy"})
    assert select("latency").takes({})
    with pytest.raises(ThresholdError, match="no `tag:value`"):
        select("latency{scenario}")
    with pytest.raises(ThresholdError, match="is no metric"):
        select("latency{a:b")


def trend(*values: float) -> Measured:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return Measured(MetricKind.TREND, histogram.count, histogram.sum, histogram=histogram)


METRICS = {
    "latency": trend(*range(1, 101)),
    "error_rate": Measured(MetricKind.RATE, 200, 3.0),
    "throughput": Measured(MetricKind.COUNTER, 200, 200.0),
    "vus": Measured(MetricKind.GAUGE, 4, 0.0, last=12.0),
    "empty": Measured(MetricKind.TREND, 0, 0.0, histogram=Histogram()),
}


@pytest.mark.parametrize(
    ("metric", "text", "value", "held"),
    [
        ("latency", "avg<51", 50.5, True),
        ("latency", "min>=1", 1.0, True),
        ("latency", "max<100", 100.0, False),
        ("error_rate", "rate<1%", 0.015, False),
        ("error_rate", "rate<0.02", 0.015, True),
        ("throughput", "rate>=10", 10.0, True),
        ("throughput", "count>=201", 200.0, False),
        ("vus", "value==12", 12.0, True),
        ("empty", "p(95)<500", None, None),
        ("never_sent", "count<1000", None, None),
        ("latency", "rate<1", None, None),
        ("latency", "nonsense", None, None),
    ],
)
def test_judging(metric: str, text: str, value: float | None, *, held: bool | None) -> None:
    (result,) = judge({metric: (text,)}, METRICS, seconds=20.0)

    assert (result.value, result.held) == (value, held)


def test_a_percentile_is_within_the_bound() -> None:
    (result,) = judge({"latency": ("p(95)<95.6",)}, METRICS, seconds=20.0)

    assert result.held
    assert result.value == pytest.approx(95, rel=0.005)
