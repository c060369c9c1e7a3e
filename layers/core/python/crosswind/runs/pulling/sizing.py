"""How many units a runner leases at once: pure, from the list and how far it is given out.

A batch is a twentieth of what is left for each runner. While much is left that is few leases for much work; towards the
end batches shrink to single units, so that the runners end together although nobody knew how slow each of them is (guided
self-scheduling: C. D. Polychronopoulos and D. J. Kuck, 1987, with a twentieth in place of the whole share).
"""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from crosswind.contracts.work import PullList

SHARE = 0.05
"""Of the estimated work that is left for each runner."""

LEAST_SECONDS = 0.5
"""A batch is worth at least so much, for leasing and committing one cost about a tenth of that."""

LEAST_PART = 0.02
"""And at least so much of a runner's even share of the whole list: the last batches cost more than they save."""

BATCHES_PER_RUNNER = 50.0
"""What these two come to where units are short: log(SHARE / LEAST_PART) / SHARE while batches shrink, 1 / LEAST_PART of a share
behind that, and what single long units add."""

RUNNERS_PER_SECOND = 100.0
"""The more runners, the longer the shortest batch: the table takes about so many leases and commits a second of one run."""

MOST_UNITS = 1000
"""Of one batch: what is lost with a runner stays small where nothing is known of durations."""

_LEAST_UNIT_SECONDS = 0.01  # even an empty test takes time; without it a list of zeros would be one batch


@dataclass(frozen=True, slots=True)
class Sizing:
    """The sizes of a list's batches. Made once per list; each answer then takes O(log units)."""

    ends: tuple[float, ...]  # of each unit, if they ran one after another; grows strictly
    least: float  # seconds of a batch

    @classmethod
    def of(cls, pull_list: PullList) -> "Sizing":
        """Of a list."""
        seconds = (max(unit.estimate_seconds, _LEAST_UNIT_SECONDS) for unit in pull_list.units)
        ends = tuple(accumulate(seconds))
        runners = -(-pull_list.runners // pull_list.stripes)  # of those units that are given here
        part = LEAST_PART * ends[-1] / runners if ends else 0.0
        return cls(ends=ends, least=max(LEAST_SECONDS, part, pull_list.runners / RUNNERS_PER_SECOND))

    def units(self, next_unit: int, *, runners: int) -> int:
        """Units of the batch that begins at `next_unit`: 0 at the end of the list, else at least one.

        Never more than an even share of what is left, so that no runner goes empty because of another's minimum.
        """
        if next_unit >= len(self.ends):
            return 0
        start = self.ends[next_unit - 1] if next_unit else 0.0
        even = (self.ends[-1] - start) / max(runners, 1)
        wanted = min(max(SHARE * even, self.least), even)
        behind = bisect_right(self.ends, start + wanted, lo=next_unit)
        return min(max(behind - next_unit, 1), MOST_UNITS)
