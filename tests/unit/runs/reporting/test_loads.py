"""Load tests in a report. Input: merged results. Output: figures and charts. Pure."""

from crosswind.contracts.load import (
    Comparable,
    ComparedFigure,
    ComparisonVerdict,
    LoadComparison,
    LoadFigure,
    LoadPoint,
    LoadSummary,
    ThresholdResult,
    WorkerFigures,
)
from crosswind.contracts.requests import CaseCounts
from crosswind.runs.reporting import render
from crosswind.runs.reporting.loads import load_report
from crosswind.runs.reporting.model import RunReport

SUMMARY = LoadSummary(
    group="g",
    test="load",
    variant="region=eu",
    tool="k6",
    workers=(WorkerFigures(work_id="shard-00000", requests=10, errors=1),),
    workers_planned=1,
    started_at="2026-01-31T08:00:00.000Z",
    seconds=4.0,
    accuracy=0.005,
    figures=(
        LoadFigure(name="latency.p95", value=120.0, unit="ms"),
        LoadFigure(name="throughput", value=2.5, unit="1/s"),
    ),
    thresholds=(
        ThresholdResult(metric="http_req_duration", expression="p(95)<100", value=120.0, held=False),
        ThresholdResult(metric="none", expression="p(95)<100"),
    ),
    slice_seconds=2,
    points=(
        LoadPoint(at_seconds=0, throughput=2.0, errors=0, p50=50.0, p95=100.0),
        LoadPoint(at_seconds=2, throughput=3.0, errors=1),
    ),
    comparison=LoadComparison(
        baseline_run="run-1",
        method="m",
        confidence_percent=95,
        max_regression_percent=10,
        figures=(
            ComparedFigure(name=Comparable.P95, before=90.0, after=120.0, verdict=ComparisonVerdict.WORSE),
        ),
    ),
)


def test_figures_stand_with_their_baseline_and_thresholds_with_what_they_were_judged_on() -> None:
    report = load_report(SUMMARY)

    assert report.test == "load [region=eu]"
    told = [(each.name, each.value, each.baseline, each.threshold, each.held) for each in report.metrics]
    assert told == [
        ("latency.p95", 120.0, 90.0, None, None),
        ("throughput", 2.5, None, None, None),
        ("http_req_duration", 120.0, None, "p(95)<100", False),
    ]


def test_a_slice_without_a_percentile_leaves_a_gap_and_no_zero() -> None:
    series = {
        each.name: [(point.seconds, point.value) for point in each.points]
        for each in load_report(SUMMARY).series
    }

    assert series == {
        "throughput": [(0.0, 2.0), (2.0, 3.0)],
        "latency p50": [(0.0, 50.0)],
        "latency p95": [(0.0, 100.0)],
        "errors": [(0.0, 0.0), (2.0, 1.0)],
    }


def test_the_page_shows_a_load_test() -> None:
    report = RunReport(title="demo/shop", counts=CaseCounts(), load=(load_report(SUMMARY),))

    assert "latency.p95" in render(report, "html").decode()
