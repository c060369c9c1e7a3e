"""How units become shards: pure, deterministic, and proven to hold each test exactly once.

Static with known durations: longest processing time first, each unit to the shard with the least so far (R. L. Graham,
1969; at most 4/3 of the best possible makespan). Static without: contiguous blocks in the order of discovery, so that
neighbours stay together. Pulled: one list, the longest first, that the shards lease batches from while they run.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.work import PullUnit
from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.history.model import Timing
from crosswind.runs.planning.estimates import estimate
from crosswind.runs.planning.units import Unit, units_of

MOST_SHARDS = 1000


class Method(StrEnum):
    """How tests reach the shards."""

    PULL = "pull"
    BY_DURATION = "by-duration"
    BY_COUNT = "by-count"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Share:
    """What one shard runs. `test_ids` is None where the framework cannot list its tests."""

    test_ids: tuple[str, ...] | None
    seconds: float
    spread: float = 0.0


def split(
    test_ids: Sequence[str], *, framework: FrameworkSpec, shards: int, timings: Mapping[str, Timing]
) -> tuple[Share, ...]:
    """Split tests into fixed lists, at most `shards` and none of them empty. Raises InvalidInputError for a doubled test."""
    refuse_doubles(test_ids)
    if not test_ids:
        return ()
    estimates = estimate(test_ids, timings)
    total = math.fsum(each.seconds for each in estimates.by_test.values())
    count = min(max(shards, 1), len(test_ids), MOST_SHARDS)
    units = units_of(test_ids, estimates, framework=framework, grain_seconds=total / count, at_least=count)
    return longest_first(units, count) if estimates.known else blocks(units, count)


def refuse_doubles(test_ids: Sequence[str]) -> None:
    """Raise InvalidInputError when a discovery lists a test twice."""
    doubled = [test_id for test_id, times in Counter(test_ids).items() if times > 1]
    if doubled:
        raise InvalidInputError(
            f"the discovery lists {len(doubled)} tests more than once, the first is {doubled[0]!r}; "
            "each test needs an id of its own"
        )


def longest_first(units: Sequence[Unit], count: int) -> tuple[Share, ...]:
    """Shares of near-equal length. Inside one the order of discovery is kept. `count` is at most the number of units."""
    order = sorted(range(len(units)), key=lambda index: (-units[index].seconds, index))
    # Load, then the number of units, then the index: units of no length still spread, and no shard stays empty.
    heap = [(0.0, 0, index) for index in range(count)]
    groups: list[list[int]] = [[] for _ in range(count)]
    for index in order:
        load, size, group = heapq.heappop(heap)
        groups[group].append(index)
        heapq.heappush(heap, (load + units[index].seconds, size + 1, group))
    return _proven(units, tuple(_share([units[index] for index in sorted(group)]) for group in groups))


def blocks(units: Sequence[Unit], count: int) -> tuple[Share, ...]:
    """Contiguous shares of near-equal length, in the order of discovery. `count` is at most the number of units."""
    shares = []
    left = math.fsum(unit.seconds for unit in units)
    first = 0
    for block in range(count):
        blocks_left = count - block
        last = len(units) - blocks_left + 1  # each block behind this one gets a unit at least
        behind = first + 1
        taken = units[first].seconds
        wanted = left / blocks_left
        while behind < last and (blocks_left == 1 or taken + units[behind].seconds / 2 < wanted):
            taken += units[behind].seconds
            behind += 1
        shares.append(_share(units[first:behind]))
        left -= taken
        first = behind
    return _proven(units, tuple(shares))


def pull_order(units: Sequence[Unit]) -> tuple[PullUnit, ...]:
    """The units as a list to pull from: the longest first, equal ones in the order of discovery."""
    longest = sorted(units, key=lambda unit: -unit.seconds)
    prove((test_id for unit in units for test_id in unit.test_ids), (unit.test_ids for unit in longest))
    return tuple(
        PullUnit(test_ids=unit.test_ids, estimate_seconds=round(unit.seconds, 3)) for unit in longest
    )


def prove(test_ids: Iterable[str], parts: Iterable[Sequence[str]]) -> None:
    """The plan's own proof: every discovered test in exactly one part, and no part without tests."""
    held = list(parts)
    planned = Counter(test_id for part in held for test_id in part)
    if planned != Counter(test_ids) or any(times > 1 for times in planned.values()) or not all(held):
        raise AssertionError("the split lost or doubled a test")


def _proven(units: Sequence[Unit], shares: tuple[Share, ...]) -> tuple[Share, ...]:
    prove(
        (test_id for unit in units for test_id in unit.test_ids), (share.test_ids or () for share in shares)
    )
    return shares


def _share(units: Sequence[Unit]) -> Share:
    return Share(
        test_ids=tuple(test_id for unit in units for test_id in unit.test_ids),
        seconds=math.fsum(unit.seconds for unit in units),
        spread=math.sqrt(math.fsum(unit.spread**2 for unit in units)),
    )
