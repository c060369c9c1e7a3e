"""How the tests of a job are split into shards: pure, deterministic, and proven to hold each test exactly once.

With known durations: longest processing time first, each test to the shard with the least so far (R. L. Graham, 1969; at most 4/3 of the best
possible makespan). Without: contiguous blocks of equal size in the order of discovery, so that tests that share a module's
fixtures stay together. Inside a shard the order of discovery is kept either way.
"""

import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Literal

from crosswind.kernel.errors import InvalidInputError

MOST_SHARDS = 1000
AUTO_TESTS_PER_SHARD = 50  # where no durations are known
AUTO_SECONDS_PER_SHARD = 60.0  # where they are
DEFAULT_SECONDS = 1.0  # of a test about which nothing is known


class Method(StrEnum):
    """How tests were split."""

    BY_DURATION = "by-duration"
    BY_COUNT = "by-count"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Share:
    """What one shard runs. `test_ids` is None where the framework cannot list its tests."""

    test_ids: tuple[str, ...] | None
    estimate_seconds: float


@dataclass(frozen=True, slots=True)
class Split:
    """All shards of one test job, in order."""

    shares: tuple[Share, ...]
    method: Method


def split(
    test_ids: Sequence[str] | None,
    *,
    shards: int | Literal["auto"],
    durations: Mapping[str, float],
    at_most: int,
) -> Split:
    """Split one job's tests. `at_most` bounds `auto`: more shards than may run at once help nobody.

    No test means no shard. Raises InvalidInputError when the discovery lists a test twice.
    """
    if test_ids is None:
        count = 1 if shards == "auto" else min(shards, MOST_SHARDS)
        return Split(shares=(Share(None, DEFAULT_SECONDS),) * count, method=Method.WHOLE)
    doubled = [test_id for test_id, times in Counter(test_ids).items() if times > 1]
    if doubled:
        raise InvalidInputError(
            f"the discovery lists {len(doubled)} tests more than once, the first is {doubled[0]!r}; "
            "each test needs an id of its own"
        )
    seconds = _estimates(test_ids, durations)
    method = Method.BY_DURATION if seconds else Method.BY_COUNT
    count = _shard_count(test_ids, seconds, shards=shards, at_most=at_most)
    groups = _longest_first(test_ids, seconds, count) if seconds else _blocks(test_ids, count)
    shares = tuple(
        Share(tuple(group), sum(seconds.get(test_id, DEFAULT_SECONDS) for test_id in group))
        for group in groups
    )
    _prove(test_ids, shares)
    return Split(shares=shares, method=method)


def _estimates(test_ids: Sequence[str], durations: Mapping[str, float]) -> dict[str, float]:
    """Seconds of every test; one that is not known takes the mean of the known. Empty when none is known."""
    known = {test_id: max(0.0, durations[test_id]) for test_id in test_ids if test_id in durations}
    if not known:
        return {}
    mean = sum(known.values()) / len(known)
    return {test_id: known.get(test_id, mean) for test_id in test_ids}


def _shard_count(
    test_ids: Sequence[str], seconds: Mapping[str, float], *, shards: int | Literal["auto"], at_most: int
) -> int:
    if shards != "auto":
        wanted = shards
    elif seconds:
        wanted = min(at_most, math.ceil(sum(seconds.values()) / AUTO_SECONDS_PER_SHARD))
    else:
        wanted = min(at_most, math.ceil(len(test_ids) / AUTO_TESTS_PER_SHARD))
    return min(max(wanted, 1), len(test_ids), MOST_SHARDS)


def _blocks(test_ids: Sequence[str], count: int) -> list[list[str]]:
    total = len(test_ids)
    edges = [index * total // count for index in range(count + 1)] if count else []
    return [list(test_ids[start:end]) for start, end in pairwise(edges)]


def _longest_first(test_ids: Sequence[str], seconds: Mapping[str, float], count: int) -> list[list[str]]:
    order = {test_id: index for index, test_id in enumerate(test_ids)}
    longest = sorted(test_ids, key=lambda test_id: (-seconds[test_id], order[test_id]))
    # Load, then the number of tests, then the index: tests of no length still spread, and no shard stays empty.
    heap = [(0.0, 0, index) for index in range(count)]
    groups: list[list[str]] = [[] for _ in range(count)]
    for test_id in longest:
        load, size, index = heapq.heappop(heap)
        groups[index].append(test_id)
        heapq.heappush(heap, (load + seconds[test_id], size + 1, index))
    return [sorted(group, key=order.__getitem__) for group in groups]


def _prove(test_ids: Sequence[str], shares: Sequence[Share]) -> None:
    """The plan's own proof: every discovered test in exactly one shard, and no shard without tests."""
    planned = [test_id for share in shares for test_id in share.test_ids or ()]
    if sorted(planned) != sorted(test_ids) or any(not share.test_ids for share in shares):
        raise AssertionError("the split lost or doubled a test")
