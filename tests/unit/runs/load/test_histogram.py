"""Histograms: what several workers measured has the percentiles that one would have had, within the bound."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosswind.runs.load.histogram import ACCURACY, DamagedHistogramError, Histogram, merged
from tests.unit.runs.load.samples import latencies

PERCENTS = (0.0, 1.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0)
VALUES = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)


def exact(values: list[float], percent: float) -> float:
    return sorted(values)[math.floor(percent / 100 * (len(values) - 1))]


def of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def close(found: float | None, wanted: float) -> bool:
    return found is not None and abs(found - wanted) <= ACCURACY * abs(wanted) * (1 + 1e-9) + 1e-9


def test_twenty_workers_have_the_percentiles_of_all_their_values() -> None:
    workers = [latencies(500, seed=seed, median=20.0 + 15 * seed) for seed in range(20)]

    together = merged(of(values) for values in workers)

    everything = [value for values in workers for value in values]
    assert together.count == 10_000
    assert together.sum == pytest.approx(sum(everything))
    assert (together.least, together.greatest) == (min(everything), max(everything))
    for percent in PERCENTS:
        assert close(together.percentile(percent), exact(everything, percent)), percent


@settings(deadline=None)
@given(st.lists(st.lists(VALUES, max_size=30), min_size=1, max_size=6))
def test_merging_loses_nothing(parts: list[list[float]]) -> None:
    everything = [value for part in parts for value in part]

    together = merged(of(part) for part in reversed(parts))

    assert list(together.bins()) == list(of(everything).bins())
    if everything:
        for percent in PERCENTS:
            assert close(together.percentile(percent), exact(everything, percent))
    else:
        assert together.percentile(50) is None


@settings(deadline=None)
@given(st.lists(VALUES, max_size=40))
def test_a_histogram_comes_back_from_its_text(values: list[float]) -> None:
    histogram = of(values)

    again = Histogram.decode(histogram.encode())

    assert list(again.bins()) == list(histogram.bins())
    assert (again.count, again.sum) == (histogram.count, histogram.sum)
    assert (again.least, again.greatest) == (histogram.least, histogram.greatest)


@settings(deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda data: f"0.0;inf;-inf;{data!r}"))
def test_a_text_that_is_no_histogram_is_refused_or_read(text: str) -> None:
    try:
        Histogram.decode(text)
    except DamagedHistogramError as error:
        assert "cannot be read" in str(error)  # noqa: PT017  # any text is tried, and some are histograms


@pytest.mark.parametrize("text", ["", "a;b;c;d", "0.0;inf;-inf;AQ==", "0.0;inf;-inf;gICAgA==", "1;2;3;4;5"])
def test_damaged_texts_are_refused(text: str) -> None:
    with pytest.raises(DamagedHistogramError):
        Histogram.decode(text)


def test_what_is_no_number_is_no_measurement_and_odd_values_make_no_thousands_of_bins() -> None:
    histogram = of([math.nan, math.inf, -math.inf, 1e-300, 1e300, -1e300, 5.0])

    assert histogram.count == 4
    assert histogram.zeros == 1
    assert len(histogram.encode()) < 200
    assert (histogram.least, histogram.greatest) == (-1e300, 1e300)
