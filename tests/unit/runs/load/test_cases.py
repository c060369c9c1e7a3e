"""Cases of a load job: thresholds decide, and nothing is green by absence."""

from crosswind.contracts.load import LoadBaselineSpec
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.load import comparing, merging, thresholds
from crosswind.runs.load.cases import cases, comparison_fault, not_judged
from crosswind.runs.load.judged import LoadCase
from crosswind.runs.load.recording import Recorder
from tests.unit.runs.load.samples import START, latencies, worker

FAILED, PASSED, ERROR, SKIPPED = CaseStatus.FAILED, CaseStatus.PASSED, CaseStatus.ERROR, CaseStatus.SKIPPED


def of(merged: merging.Merged, asked: dict[str, tuple[str, ...]] | None = None) -> dict[str, LoadCase]:
    judged = thresholds.judge(asked or {}, merged.metrics, seconds=merged.seconds)
    return {case.name: case for case in cases(merged, judged, None, workers=2)}


def statuses(found: dict[str, LoadCase]) -> dict[str, CaseStatus]:
    return {name: case.status for name, case in found.items()}


def test_a_good_load() -> None:
    found = of(
        merging.merge([worker([20.0] * 100), worker([30.0] * 100)]), {"latency": ("p(95)<500", "p(99)<500ms")}
    )

    assert statuses(found) == {
        "load": PASSED,
        "threshold latency p(95)<500": PASSED,
        "threshold latency p(99)<500ms": PASSED,
        "check is 200": PASSED,
        "request GET /items": PASSED,
    }
    assert found["load"].message == "200 requests by 2 workers in 60.0 s, 3.3 a second, 0 failed."


def test_a_breached_threshold_fails_with_the_merged_figure() -> None:
    found = of(merging.merge([worker([20.0] * 90), worker([800.0] * 10)]), {"latency": ("p(95)<500",)})

    case = found["threshold latency p(95)<500"]
    assert case.status is FAILED
    assert case.message.startswith("p(95) of latency was 80")
    assert "over all workers; the threshold is p(95)<500" in case.message


def test_no_request_is_never_green() -> None:
    nothing = Recorder(tool="k6", start_at=START).result({})
    found = of(merging.merge([nothing, nothing]), {"latency": ("p(95)<500",), "throughput": ("count<9",)})

    assert statuses(found) == {
        "load": ERROR,
        "threshold latency p(95)<500": ERROR,
        "threshold throughput count<9": ERROR,
    }


def test_errors_fail_unless_a_threshold_speaks_of_them() -> None:
    merged = merging.merge([worker([20.0] * 100, error_every=50)])

    assert statuses(of(merged)) == {"load": PASSED, "check is 200": FAILED, "request GET /items": FAILED}
    tolerant = of(merged, {"error_rate": ("rate<5%",)})
    assert tolerant["request GET /items"].status is PASSED
    assert "the threshold on errors decides" in tolerant["request GET /items"].message
    assert tolerant["check is 200"].status is FAILED


def test_what_never_once_succeeded_fails_whatever_a_threshold_allows() -> None:
    merged = merging.merge([worker([20.0] * 500), worker([20.0] * 5, error_every=1, name="GET /broken")])

    found = of(merged, {"error_rate": ("rate<50%",)})

    assert found["request GET /broken"].status is FAILED
    assert found["request GET /items"].status is PASSED


def test_lines_that_cannot_be_read_leave_the_load_unjudged() -> None:
    recorder = Recorder(tool="k6", start_at=START)
    recorder.request("a", 5.0, ok=True, at=START + 1)
    recorder.unread = 3

    load = of(merging.merge([recorder.result({})]))["load"]

    assert load.status is ERROR
    assert "3 lines of the tool's output cannot be read" in load.message


def test_a_job_that_not_all_workers_measured() -> None:
    (case,) = not_judged("2 of 3 workers measured to the end; shard-00002: lease_lost")

    assert (case.name, case.status) == ("load", ERROR)
    assert "2 of 3 workers" in case.message


def test_comparisons_as_cases() -> None:
    spec = LoadBaselineSpec(max_regression_percent=10)
    slow = merging.merge([worker(latencies(6000, median=150.0))])
    before = merging.merge([worker(latencies(6000, seed=2, median=80.0))])
    short = merging.merge([worker(latencies(300), seconds=3.0)])

    worse = comparing.compare(slow, before, spec, baseline_run="run-b", seed="s")
    unsure = comparing.compare(short, before, spec, baseline_run="run-b", seed="s")
    first = comparing.not_compared(spec, reason="no passed run of the suite has this job yet")
    gone = comparing.lost_baseline(spec, reason="it is gone")

    found = {case.name: case for case in cases(slow, (), worse, workers=1)}
    assert found["baseline latency.p95"].status is FAILED
    assert found["baseline throughput"].status is PASSED
    assert "with 95% confidence; + is worse), limit 10%: worse" in found["baseline latency.p95"].message
    assert comparison_fault(worse) is None
    assert {case.status for case in cases(short, (), unsure, workers=1)[3:]} == {SKIPPED}
    assert "inconclusive" in str(comparison_fault(unsure))
    (skipped,) = [case for case in cases(slow, (), first, workers=1) if case.name == "baseline"]
    assert skipped.status is SKIPPED
    assert comparison_fault(first) is None
    assert "it is gone" in str(comparison_fault(gone))
