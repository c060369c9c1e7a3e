"""Groups: where a framework is asked for files, folders or classes, and reports the tests in them. Pure.

A test belongs to the group that its name begins with: `cart.spec.ts / totals / adds` to `cart.spec.ts`. Nothing but names is
needed for it, so that history, results and plans of such a framework are the same as everybody's.
"""

import math
from collections.abc import Container, Mapping, Sequence

from crosswind.runs.history.model import Timing
from crosswind.runs.identity import SUITE_MARK


def group_of(name: str, groups: Container[str], separator: str) -> str | None:
    """The group that a test's name begins with, the longest one; None where it belongs to none."""
    name = name.removesuffix(SUITE_MARK)
    if name in groups:
        return name
    end = name.rfind(separator)
    while end > 0:
        if name[:end] in groups:
            return name[:end]
        end = name.rfind(separator, 0, end)
    return None


def group_timings(
    groups: Sequence[str], timings: Mapping[str, Timing], *, separator: str
) -> dict[str, Timing]:
    """Of each group, what its tests take together; groups of which nothing was measured are left out.

    Spreads add as those of independent tests do. There are as many samples as of the test with the fewest.
    """
    wanted = frozenset(groups)
    found: dict[str, list[Timing]] = {}
    for name, timing in timings.items():
        group = group_of(name, wanted, separator)
        if group is not None:
            found.setdefault(group, []).append(timing)
    return {
        group: Timing(
            seconds=math.fsum(each.seconds for each in measured),
            spread_seconds=math.sqrt(math.fsum(each.spread_seconds**2 for each in measured)),
            samples=min(each.samples for each in measured),
        )
        for group, measured in found.items()
    }
