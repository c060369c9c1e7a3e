"""Recording and merging: nothing is averaged, slices line up, and the order of the workers does not matter."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.contracts.load import LoadResult, MetricKind
from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.load import merging, thresholds
from crosswind.runs.load.recording import MOST_METRICS, MOST_NAMES, MOST_SLICES, OTHER, Recorder
from tests.unit.runs.load.samples import START, latencies, worker


def figure(merged: merging.Merged, name: str) -> float:
    return next(each.value for each in merging.figures(merged) if each.name == name)


def test_the_slow_worker_decides_the_percentile_and_no_average_hides_it() -> None:
    fast, slow = worker([10.0] * 900), worker([1000.0] * 100)

    merged = merging.merge([fast, slow])

    assert figure(merged, "requests") == 1000
    assert figure(merged, "latency.p50") == pytest.approx(10, rel=0.005)
    assert figure(merged, "latency.p95") == pytest.approx(1000, rel=0.005)
    assert figure(merged, "throughput") == pytest.approx(1000 / 60)


def test_errors_of_one_worker_are_errors_of_all_requests() -> None:
    merged = merging.merge([worker([10.0] * 300), worker([10.0] * 100, error_every=10)])

    assert figure(merged, "error_rate") == pytest.approx(2.5)
    assert merged.checks == {"is 200": (390, 10)}
    assert merged.requests["GET /items"].message == "status 500"


@settings(max_examples=12, deadline=None)
@given(st.permutations(range(4)))
def test_the_order_of_workers_does_not_matter(order: list[int]) -> None:
    results = [worker(latencies(20, seed=seed), seconds=10.0 + seed, error_every=7) for seed in range(4)]

    first = merging.as_result(merging.merge(results))
    second = merging.as_result(merging.merge([results[index] for index in order]))

    assert [(part.index, part.requests) for part in first.slices] == [
        (part.index, part.requests) for part in second.slices
    ]
    for name in ("latency.p50", "latency.p99.9", "throughput", "error_rate"):
        assert figure(merging.merge([first]), name) == figure(merging.merge([second]), name)


def test_a_long_load_has_few_slices_and_they_line_up_with_those_of_a_short_one() -> None:
    long = worker([20.0] * 4000, seconds=2000.0)
    short = worker([10.0] * 100, seconds=10.0)

    merged = merging.merge([short, long])

    assert len(long.slices) <= MOST_SLICES
    assert long.slice_seconds == merged.slice_seconds == 16
    assert sum(part.count for part in merged.slices.values()) == 4100
    assert merged.slices[0].count >= 100
    points = merging.points(merged)
    assert points[1].throughput == pytest.approx(2.0)
    assert points[1].p50 == pytest.approx(20, rel=0.005)


def test_a_gap_is_a_point_without_requests() -> None:
    recorder = Recorder(tool="k6", start_at=START)
    for at in (0.5, 3.5):
        recorder.request("a", 5.0, ok=True, at=START + at)

    points = merging.points(merging.merge([recorder.result({})]))

    assert [point.throughput for point in points] == [1.0, 0.0, 0.0, 1.0]
    assert points[1].p95 is None


def test_names_without_end_are_put_together() -> None:
    recorder = Recorder(tool="k6", start_at=START)
    for number in range(MOST_NAMES + 50):
        recorder.request(f"GET /items/{number}", 5.0, ok=True, at=START + 1)

    result = recorder.result({})

    assert len(result.requests) == MOST_NAMES + 1
    assert result.requests[-1].name == OTHER
    assert result.requests[-1].count == 50


def test_a_script_without_requests_counts_its_iterations() -> None:
    recorder = Recorder(tool="k6", start_at=START)
    recorder.iteration("default", 12.0, at=START + 1)

    merged = merging.merge([recorder.result({}), Recorder(tool="k6", start_at=START).result({})])

    assert (merged.unit, merged.count) == ("iterations", 1)


def test_metrics_that_thresholds_narrow_down_are_kept_apart() -> None:
    asked = {
        "latency{name:slow}": ("p(95)<100",),
        "mine{step:a}": ("count<=2",),
        "error_rate{name:slow}": ("rate<1",),
    }
    recorder = Recorder(tool="k6", start_at=START, selectors=asked)
    recorder.declare("mine", MetricKind.COUNTER)
    recorder.sample("mine", 2.0, {"step": "a"}, at=START + 1)
    recorder.sample("mine", 5.0, {"step": "b"}, at=START + 1)
    recorder.sample("undeclared", 5.0, {}, at=START + 1)
    recorder.request("fast", 10.0, ok=True, at=START + 1)
    recorder.request("slow", 900.0, ok=False, at=START + 1)

    merged = merging.merge([recorder.result(asked)])
    results = thresholds.judge(merged.thresholds, merged.metrics, seconds=merged.seconds)

    assert {result.metric: result.held for result in results} == {
        "latency{name:slow}": False,
        "mine{step:a}": True,
        "error_rate{name:slow}": False,
    }
    assert "undeclared" not in merged.metrics


def test_results_that_cannot_be_added_up_are_refused() -> None:
    one = worker([1.0])
    with pytest.raises(InvalidInputError, match="no result"):
        merging.merge([])
    with pytest.raises(InvalidInputError, match="tools differ"):
        merging.merge([one, one.model_copy(update={"tool": "jmeter"})])
    with pytest.raises(InvalidInputError, match="accuracies differ"):
        merging.merge([one, one.model_copy(update={"accuracy": 0.02})])


def test_the_merged_document_is_what_was_merged() -> None:
    merged = merging.merge([worker(latencies(200), error_every=9), worker(latencies(300, seed=2))])

    again = merging.merge([LoadResult.model_validate_json(merging.as_result(merged).to_wire())])

    assert merging.figures(again) == merging.figures(merged)
    assert merging.points(again) == merging.points(merged)
    assert again.checks == merged.checks


def test_metrics_without_end_are_not_taken() -> None:
    recorder = Recorder(tool="k6", start_at=START)
    for number in range(MOST_METRICS + 2):
        recorder.declare(f"m{number}", MetricKind.COUNTER)
        recorder.sample(f"m{number}", 1.0, {}, at=START + 1)

    result = recorder.result({})

    assert len(result.metrics) == MOST_METRICS + 3  # the canonical ones
    assert result.unread == 2
