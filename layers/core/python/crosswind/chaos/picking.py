"""Which of the targets that a selector matches are hit, in a step of so many percent.

The choice is stable: the same candidates give the same targets whoever asks and whenever, so that what is previewed is
what is approved is what is hit, and a higher step hits those of the lower one and more.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.chaos.model import Target
from crosswind.contracts.chaos.spec import Pick, TargetSelector

_WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Picked:
    """The targets, and how strongly each is hit: `dose` is 100 unless a single target is hit by a share."""

    targets: tuple[Target, ...]
    dose: float
    problem: str | None = None


def pick(candidates: Sequence[Target], selector: TargetSelector, *, percent: float, dosed: bool) -> Picked:
    """The selector's pick, then the step's percent of it; rounded down, as AWS FIS does.

    A single target is hit by the percent itself where the action can be dosed, else wholly. A share that makes no
    target is a problem, never a fault of nothing.
    """
    chosen = _selected(sorted(candidates, key=_shuffled), selector)
    if not candidates:
        return Picked((), percent, "the selector matches no target")
    if not chosen:
        return Picked((), percent, f"{selector.percent:g}% of {len(candidates)} targets are none")
    if len(chosen) == 1:
        return Picked(tuple(chosen), percent if dosed else _WHOLE)
    count = int(len(chosen) * percent / _WHOLE)
    if count == 0:
        return Picked((), percent, f"{percent:g}% of {len(chosen)} targets are none")
    return Picked(tuple(chosen[:count]), _WHOLE)


def _selected(ordered: list[Target], selector: TargetSelector) -> list[Target]:
    match selector.pick:
        case Pick.COUNT:
            return ordered[: selector.count]
        case Pick.PERCENT:
            return ordered[: int(len(ordered) * (selector.percent or 0) / _WHOLE)]
        case Pick.ALL:
            return ordered


def _shuffled(target: Target) -> str:
    return hashlib.sha256(f"{target.provider}:{target.id}".encode()).hexdigest()
