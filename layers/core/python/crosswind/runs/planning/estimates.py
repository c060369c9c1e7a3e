"""How long each test will take, as far as its history tells. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from crosswind.runs.history.model import Timing

DEFAULT_SECONDS = 1.0
"""Of a test, where no test of its job was ever measured."""

LEAST_SECONDS = 0.01
"""Of any test: it is started and reported, and tests of no length must still spread over the shards."""

_LEAST_SPREAD = 0.1  # of the estimate: few samples often agree by chance
_DEVIATIONS = 1.4826  # standard deviations in a median absolute deviation, for a normal distribution


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds, and the standard deviation to expect of them."""

    seconds: float
    spread: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """Of every test of a job. `known` of them were measured; each other one is taken to be `assumed`."""

    by_test: Mapping[str, Estimate]
    known: int
    assumed: Estimate

    def of(self, test_id: str) -> Estimate:
        """Of one test."""
        return self.by_test[test_id]


def estimate(test_ids: Sequence[str], timings: Mapping[str, Timing]) -> Estimates:
    """Measured tests take what they took; the others the median of those, or DEFAULT_SECONDS where there are none."""
    known = {test_id: _measured(timings[test_id]) for test_id in test_ids if test_id in timings}
    assumed = _assumed([each.seconds for each in known.values()])
    by_test = {test_id: known.get(test_id, assumed) for test_id in test_ids}
    return Estimates(by_test=by_test, known=len(known), assumed=assumed)


def estimate_whole(timings: Mapping[str, Timing], *, shards: int) -> Estimate:
    """Of one of the shards of a framework that splits its tests itself: an even part of all that was ever measured."""
    measured = [_measured(timing) for timing in timings.values()]
    if not measured:
        return Estimate(DEFAULT_SECONDS, DEFAULT_SECONDS)
    spread = math.sqrt(sum(each.spread**2 for each in measured) / shards)
    return Estimate(sum(each.seconds for each in measured) / shards, spread)


def _measured(timing: Timing) -> Estimate:
    seconds = max(timing.seconds, LEAST_SECONDS)
    return Estimate(seconds, max(timing.spread_seconds * _DEVIATIONS, _LEAST_SPREAD * seconds))


def _assumed(known: Sequence[float]) -> Estimate:
    """What a test that was never measured is taken for: it may be any of the others."""
    if not known:
        return Estimate(DEFAULT_SECONDS, DEFAULT_SECONDS)
    middle = median(known)
    deviation = median(abs(seconds - middle) for seconds in known) * _DEVIATIONS
    return Estimate(middle, max(deviation, _LEAST_SPREAD * middle))
