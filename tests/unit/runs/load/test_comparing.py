"""The comparison with a baseline: an interval, never one number, and no verdict where the data do not carry one."""

import pytest

from crosswind.contracts.load import Comparable, ComparedFigure, ComparisonVerdict, LoadBaselineSpec
from crosswind.runs.load import merging
from crosswind.runs.load.comparing import compare
from tests.unit.runs.load.samples import latencies, worker

ALL = tuple(Comparable)
SPEC = LoadBaselineSpec(max_regression_percent=10, metrics=ALL)


def load(
    *, seed: int, count: int = 12_000, median: float = 80.0, seconds: float = 60.0, error_every: int = 0
) -> merging.Merged:
    values = latencies(count, seed=seed, median=median)
    return merging.merge([worker(values, seconds=seconds, error_every=error_every)])


def compared(
    after: merging.Merged, before: merging.Merged, spec: LoadBaselineSpec = SPEC
) -> dict[Comparable, ComparedFigure]:
    return {
        figure.name: figure for figure in compare(after, before, spec, baseline_run="run-b", seed="s").figures
    }


def test_the_same_load_is_within_the_limit_with_an_interval_around_nothing() -> None:
    found = compared(load(seed=1), load(seed=2))

    p95 = found[Comparable.P95]
    assert p95.verdict is ComparisonVerdict.WITHIN
    assert p95.low is not None
    assert p95.high is not None
    assert p95.low < 0 < p95.high < 10
    assert found[Comparable.THROUGHPUT].verdict is ComparisonVerdict.WITHIN
    assert found[Comparable.ERROR_RATE].verdict is ComparisonVerdict.WITHIN


def test_a_regression_beyond_the_limit_is_sure() -> None:
    found = compared(load(seed=1, median=100.0), load(seed=2, median=80.0))

    for name in (Comparable.P50, Comparable.P95, Comparable.P99):
        assert found[name].verdict is ComparisonVerdict.WORSE
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert low <= 25 <= high


def test_a_regression_at_the_limit_is_inconclusive() -> None:
    p95 = compared(load(seed=1, median=88.0), load(seed=2, median=80.0))[Comparable.P95]

    assert p95.verdict is ComparisonVerdict.INCONCLUSIVE
    assert p95.reason == "the limit lies inside of the interval"


def test_less_throughput_is_worse_and_more_errors_are() -> None:
    found = compared(load(seed=1, count=9_000, error_every=5), load(seed=2, error_every=100))

    assert found[Comparable.THROUGHPUT].effect == pytest.approx(25, abs=1)
    assert found[Comparable.THROUGHPUT].verdict is ComparisonVerdict.WORSE
    assert found[Comparable.ERROR_RATE].effect == pytest.approx(19, abs=1)
    assert found[Comparable.ERROR_RATE].verdict is ComparisonVerdict.WORSE


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (load(seed=1, seconds=5.0), "this run has 5 slices of time, and it takes 8"),
        (load(seed=1, count=150), "there are 149 requests, and it takes 200"),
    ],
)
def test_too_little_data_is_inconclusive(after: merging.Merged, told: str) -> None:
    p95 = compared(after, load(seed=2))[Comparable.P95]

    assert p95.verdict is ComparisonVerdict.INCONCLUSIVE
    assert p95.reason == told
    assert p95.low is None


def test_the_same_data_and_seed_give_the_same_answer() -> None:
    after, before = load(seed=1, count=3000), load(seed=2, count=3000)

    first = compare(after, before, SPEC, baseline_run="run-b", seed="run-a")

    assert compare(after, before, SPEC, baseline_run="run-b", seed="run-a") == first


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_never_sure_to_be_worse(seed: int) -> None:
    found = compared(load(seed=10 + seed, count=2_000), load(seed=20 + seed, count=2_000))

    assert ComparisonVerdict.WORSE not in {figure.verdict for figure in found.values()}
