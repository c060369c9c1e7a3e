"""A load job against a baseline: the effect of each figure with an interval of confidence, never one number. Pure.

The method is a block bootstrap (Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of
Statistics 1989; blocks that do not overlap as in Carlstein 1986). Requests that are near in time depend on each other, so
not requests are drawn again but blocks of time, of each run for itself, and each draw's figures are computed from the sum of
its blocks' histograms. The interval holds the middle of the draws' effects (percentile method), widened by what binning
may be off. A ramp makes blocks unlike each other and the interval wider: the method errs towards "inconclusive".
"""

import math
import random
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from crosswind.contracts.load import (
    Comparable,
    ComparedFigure,
    ComparisonVerdict,
    LoadBaselineSpec,
    LoadComparison,
)
from crosswind.runs.load.histogram import Histogram
from crosswind.runs.load.merging import Merged, Requests

METHOD = "block bootstrap over slices of time, percentile interval"
DRAWS = 400
LEAST_BLOCKS = 8
MOST_BLOCKS = 40
LEAST_BEYOND = 10
"""So many requests at least must be slower than a percentile that is compared: fewer do not tell where it is."""

_PERCENTS: Mapping[Comparable, float] = {
    Comparable.P50: 50.0,
    Comparable.P90: 90.0,
    Comparable.P95: 95.0,
    Comparable.P99: 99.0,
    Comparable.P999: 99.9,
}


@dataclass(frozen=True, slots=True)
class _Side:
    """A run as blocks: bins of each block over one axis, counts and errors."""

    bins: Sequence[Sequence[int]]
    counts: Sequence[int]
    errors: Sequence[int]
    axis: Sequence[float]
    block_seconds: float

    def draw(self, source: random.Random) -> Sequence[int]:
        """Indexes of blocks, as many as there are, with repetitions."""
        return source.choices(range(len(self.counts)), k=len(self.counts))

    def figures(self, blocks: Sequence[int], wanted: Iterable[Comparable]) -> dict[Comparable, float]:
        """What these blocks come to; a figure that they do not have is left out."""
        count = sum(self.counts[index] for index in blocks)
        if not count:
            return {}
        running = list(accumulate(map(sum, zip(*(self.bins[index] for index in blocks), strict=True))))
        found: dict[Comparable, float] = {}
        for name in wanted:
            if name is Comparable.THROUGHPUT:
                found[name] = count / (len(blocks) * self.block_seconds)
            elif name is Comparable.ERROR_RATE:
                found[name] = 100 * sum(self.errors[index] for index in blocks) / count
            elif running and running[-1]:
                rank = _PERCENTS[name] / 100 * (running[-1] - 1)
                found[name] = self.axis[bisect_right(running, rank)]
        return found


def compare(
    after: Merged, before: Merged, spec: LoadBaselineSpec, *, baseline_run: str, seed: str
) -> LoadComparison:
    """All figures that the suite asks for. The same data and the same seed give the same answer."""
    axis = _axis((before, after))
    sides = [_side(each, axis) for each in (before, after)]
    lacking = next((why for why in map(_too_little, sides, ("the baseline", "this run")) if why), None)
    if lacking is None and before.unit != after.unit:
        lacking = f"the baseline counts {before.unit} and this run {after.unit}"
    figures = []
    draws: list[tuple[dict[Comparable, float], dict[Comparable, float]]] = []
    points = [side.figures(range(len(side.counts)), spec.metrics) for side in sides]
    if lacking is None:
        source = random.Random(seed)  # noqa: S311  # repeatable draws, no secret
        draws = [
            (
                sides[0].figures(sides[0].draw(source), spec.metrics),
                sides[1].figures(sides[1].draw(source), spec.metrics),
            )
            for _ in range(DRAWS)
        ]
    for name in dict.fromkeys(spec.metrics):
        why = lacking or _too_few_beyond(name, sides)
        effects = [effect for pair in draws if (effect := _effect(name, *pair)) is not None]
        figures.append(
            _figure(
                name,
                points[0].get(name),
                points[1].get(name),
                effect=_effect(name, points[0], points[1]),
                effects=effects,
                why=why,
                spec=spec,
                slack=0.0 if name not in _PERCENTS else 100 * (before.accuracy + after.accuracy),
            )
        )
    return LoadComparison(
        baseline_run=baseline_run,
        method=METHOD,
        confidence_percent=spec.confidence_percent,
        max_regression_percent=spec.max_regression_percent,
        figures=tuple(figures),
    )


def not_compared(spec: LoadBaselineSpec, *, reason: str, baseline_run: str | None = None) -> LoadComparison:
    """There is nothing to compare with."""
    return LoadComparison(
        baseline_run=baseline_run,
        method=METHOD,
        confidence_percent=spec.confidence_percent,
        max_regression_percent=spec.max_regression_percent,
        reason=reason,
    )


def lost_baseline(spec: LoadBaselineSpec, *, reason: str) -> LoadComparison:
    """There is a baseline, and it cannot be had: nothing that was asked for is known."""
    return not_compared(spec, reason=reason).model_copy(
        update={
            "figures": tuple(
                ComparedFigure(name=name, verdict=ComparisonVerdict.INCONCLUSIVE, reason=reason)
                for name in dict.fromkeys(spec.metrics)
            )
        }
    )


def _figure(
    name: Comparable,
    before: float | None,
    after: float | None,
    *,
    effect: float | None,
    effects: Sequence[float],
    why: str | None,
    spec: LoadBaselineSpec,
    slack: float,
) -> ComparedFigure:
    def told(
        verdict: ComparisonVerdict, reason: str | None, ends: tuple[float, float] | None
    ) -> ComparedFigure:
        return ComparedFigure(
            name=name,
            before=before,
            after=after,
            effect=effect,
            low=ends[0] if ends else None,
            high=ends[1] if ends else None,
            verdict=verdict,
            reason=reason,
        )

    if why is not None:
        return told(ComparisonVerdict.INCONCLUSIVE, why, None)
    if effect is None or len(effects) < DRAWS:
        return told(ComparisonVerdict.INCONCLUSIVE, "it was not measured in every block of time", None)
    low, high = _interval(effects, spec.confidence_percent)
    ends = (min(low, effect) - slack, max(high, effect) + slack)
    limit = spec.max_regression_percent
    if ends[0] > limit:
        return told(ComparisonVerdict.WORSE, None, ends)
    if ends[1] <= limit:
        return told(ComparisonVerdict.WITHIN, None, ends)
    return told(ComparisonVerdict.INCONCLUSIVE, "the limit lies inside of the interval", ends)


def _effect(
    name: Comparable, before: Mapping[Comparable, float], after: Mapping[Comparable, float]
) -> float | None:
    """How much worse, in percent; of the error rate in percentage points."""
    if name not in before or name not in after:
        return None
    if name is Comparable.ERROR_RATE:
        return after[name] - before[name]
    if before[name] <= 0:
        return None
    change = 100 * (after[name] / before[name] - 1)
    return -change if name is Comparable.THROUGHPUT else change


def _interval(effects: Sequence[float], confidence_percent: float) -> tuple[float, float]:
    ordered = sorted(effects)
    tail = (1 - confidence_percent / 100) / 2
    last = len(ordered) - 1
    return ordered[math.floor(tail * last)], ordered[math.ceil((1 - tail) * last)]


def _too_little(side: _Side, name: str) -> str | None:
    if len(side.counts) < LEAST_BLOCKS:
        return f"{name} has {len(side.counts)} slices of time, and it takes {LEAST_BLOCKS}"
    return None


def _too_few_beyond(name: Comparable, sides: Sequence[_Side]) -> str | None:
    percent = _PERCENTS.get(name)
    if percent is None:
        return None
    least = math.ceil(LEAST_BEYOND / (1 - percent / 100))
    fewest = min(sum(side.counts) for side in sides)
    return f"there are {fewest} requests, and it takes {least}" if fewest < least else None


def _axis(runs: Iterable[Merged]) -> list[float]:
    values = {value for run in runs for part in run.slices.values() for value, _ in part.histogram.bins()}
    return sorted(values)


def _side(run: Merged, axis: Sequence[float]) -> _Side:
    """Neighbouring slices in blocks of equal length. The last slice is seldom a whole one and is left out."""
    last = max(run.slices, default=0)
    each = max(math.ceil(last / MOST_BLOCKS), 1)
    blocks = [Requests() for _ in range(last // each)]
    for index, part in run.slices.items():
        if index // each < len(blocks):
            block = blocks[index // each]
            block.count += part.count
            block.errors += part.errors
            block.histogram.merge(part.histogram)
    place = {value: number for number, value in enumerate(axis)}
    return _Side(
        bins=[_dense(block.histogram, place) for block in blocks],
        counts=[block.count for block in blocks],
        errors=[block.errors for block in blocks],
        axis=axis,
        block_seconds=float(each * run.slice_seconds),
    )


def _dense(histogram: Histogram, place: Mapping[float, int]) -> list[int]:
    counts = [0] * len(place)
    for value, number in histogram.bins():
        counts[place[value]] = number
    return counts
