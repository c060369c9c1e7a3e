"""From a spec to the steps that the state machine goes through: one for each rung of the ladder and wave of faults.

A wave is what may be in at the same time: a fault stands in the first wave in which all those of its `after` are over.
A step's faults go in together and are undone together when it is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crosswind.contracts.chaos.spec import ExperimentSpec, Fault, LadderStep
from crosswind.contracts.suites import duration_seconds

MAX_STEPS = 19  # of the machine, rungs times waves: one announcement each, and one that the monitor is live
_WHOLE = LadderStep(percent=100.0)


@dataclass(frozen=True, slots=True)
class MachineStep:
    """What is injected together, watched, and undone together."""

    number: int  # 1-based, over the whole run
    rung: int  # of the ladder, 1-based
    wave: int  # within the rung, 1-based
    percent: float
    faults: tuple[Fault, ...]  # in the order in which they are injected
    hold_seconds: int


def steps(spec: ExperimentSpec) -> tuple[MachineStep, ...]:
    """Every step, in order. The spec has to be one that was accepted: its `after` names no unknown and no circle."""
    grouped = waves(spec.faults)
    made: list[MachineStep] = []
    for rung, told in enumerate(spec.ladder or (_WHOLE,), 1):
        for wave, faults in enumerate(grouped, 1):
            made.append(
                MachineStep(
                    number=len(made) + 1,
                    rung=rung,
                    wave=wave,
                    percent=told.percent,
                    faults=faults,
                    hold_seconds=duration_seconds(told.hold) if told.hold else _longest(faults),
                )
            )
    return tuple(made)


def waves(faults: Sequence[Fault]) -> tuple[tuple[Fault, ...], ...]:
    """The faults by wave, in the order of the spec within each. Raises ValueError where `after` goes in a circle."""
    level = levels({fault.name: fault.after for fault in faults})
    if level is None:
        raise ValueError("`after` goes in a circle")
    count = max(level.values(), default=-1) + 1
    return tuple(tuple(fault for fault in faults if level[fault.name] == wave) for wave in range(count))


def levels(after: Mapping[str, Sequence[str]]) -> dict[str, int] | None:
    """The wave of each name, from 0; None where they wait for each other in a circle. Unknown names are passed over."""
    found: dict[str, int] = {}
    while len(found) < len(after):
        ready = {
            name: 1 + max((found[each] for each in names if each in after), default=-1)
            for name, names in after.items()
            if name not in found and all(each in found or each not in after for each in names)
        }
        if not ready:
            return None
        found |= ready
    return found


def injected_seconds(spec: ExperimentSpec) -> int:
    """How long faults are in at the most, over all steps."""
    return sum(step.hold_seconds for step in steps(spec))


def longest_seconds(spec: ExperimentSpec) -> int:
    """The steady state before, every step, and the recovery: what the timeout has to leave room for."""
    around = duration_seconds(spec.baseline) + duration_seconds(spec.recovery)
    return around + injected_seconds(spec)


def _longest(faults: Sequence[Fault]) -> int:
    return max(duration_seconds(fault.duration) for fault in faults)
