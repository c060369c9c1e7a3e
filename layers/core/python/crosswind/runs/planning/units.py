"""What is kept together: a file, a class of it, or a single test. Pure.

Fixtures of a module or a class are set up once where its tests run in one shard, so a file stays whole as long as it does
not hold the others up. One that is longer than the grain is broken into its classes and functions, and a class that is too
long into its tests.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.contracts.frameworks import PYTEST, FrameworkSpec
from crosswind.runs.planning.estimates import Estimates


@dataclass(frozen=True, slots=True)
class Unit:
    """Tests that are leased or assigned together, in the order of discovery."""

    test_ids: tuple[str, ...]
    seconds: float
    spread: float


def units_of(
    test_ids: Sequence[str],
    estimates: Estimates,
    *,
    framework: FrameworkSpec,
    grain_seconds: float,
    at_least: int = 1,
) -> tuple[Unit, ...]:
    """The units of a job, in the order of their first tests.

    A unit that is longer than the grain holds one test. The grain is halved until there are `at_least` units, as far as
    there are so many tests: who asks for so many shards gets them.
    """
    wanted = min(at_least, len(test_ids))
    paths = {test_id: _path(test_id, framework) for test_id in test_ids}
    grain = grain_seconds
    while True:
        groups = _broken(list(test_ids), paths, estimates, depth=0, grain=grain)
        if len(groups) >= wanted:
            return tuple(_unit(group, estimates) for group in groups)
        grain /= 2


def _path(test_id: str, framework: FrameworkSpec) -> tuple[str, ...]:
    """The names from the outside in: of `a.py::TestB::test_c[d::e]` its file, its class and the test itself."""
    if framework.adapter != PYTEST:
        return tuple(test_id.split(framework.identity.separator))
    head, bracket, parameters = test_id.partition("[")
    *outer, name = head.split("::")
    return (*outer, name + bracket + parameters)


def _broken(
    test_ids: list[str],
    paths: dict[str, tuple[str, ...]],
    estimates: Estimates,
    *,
    depth: int,
    grain: float,
) -> list[list[str]]:
    """The tests by the name at this depth; a group that is too long is broken by the next one."""
    groups: dict[str, list[str]] = {}
    for test_id in test_ids:
        path = paths[test_id]
        name = path[depth] if depth < len(path) else ""
        groups.setdefault(name, []).append(test_id)
    whole: list[list[str]] = []
    for group in groups.values():
        if len(group) == 1 or math.fsum(estimates.of(test_id).seconds for test_id in group) <= grain:
            whole.append(group)
        elif all(depth + 1 >= len(paths[test_id]) for test_id in group):
            whole.extend([test_id] for test_id in group)
        else:
            whole.extend(_broken(group, paths, estimates, depth=depth + 1, grain=grain))
    return whole


def _unit(test_ids: list[str], estimates: Estimates) -> Unit:
    each = [estimates.of(test_id) for test_id in test_ids]
    return Unit(
        test_ids=tuple(test_ids),
        seconds=math.fsum(one.seconds for one in each),
        spread=math.sqrt(math.fsum(one.spread**2 for one in each)),
    )
