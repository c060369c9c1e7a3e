"""Does a full regression end in time, and what keeps it from ending sooner? Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from crosswind.runs.simulation.bounds import shared_end
from crosswind.runs.simulation.policies import Measured, Policy, Quantiles, measure
from crosswind.runs.simulation.worlds import Setting, World, draw

LIMIT_SECONDS = 900.0
"""A full regression should take no longer."""

RUNNERS = 1000
LAUNCHES_PER_SECOND = 20.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the time that a run takes, and what it stands for."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Regression:
    """So many tests at once, over all seeds."""

    tests: int
    runners: int
    makespan: Quantiles
    ratio: Quantiles
    parts: tuple[Part, ...]  # on average; together they are the makespan

    @property
    def in_time(self) -> bool:
        """Whether nine runs of ten end within the limit."""
        return self.makespan.p90 <= LIMIT_SECONDS

    @property
    def binds(self) -> str:
        """The largest part."""
        return max(self.parts, key=lambda part: part.seconds).name


def regression(tests: int, *, runners: int = RUNNERS, seeds: int = 5) -> Regression:
    """Play a regression on machines that are launched one after another, with a list that is pulled longest first."""
    setting = Setting(tests=tests, runners=runners, launches_per_second=LAUNCHES_PER_SECOND)
    worlds = [draw(setting, seed) for seed in range(seeds)]
    measured = [measure(world, Policy.PULL_LONGEST_FIRST) for world in worlds]
    return Regression(
        tests=tests,
        runners=runners,
        makespan=Quantiles.of([each.makespan for each in measured]),
        ratio=Quantiles.of([each.ratio for each in measured]),
        parts=_average([_parts(world, each) for world, each in zip(worlds, measured, strict=True)]),
    )


def _parts(world: World, measured: Measured) -> tuple[Part, ...]:
    """Where the time goes, by taking one hindrance after another away from the bound.

    Machines at once and at work at once need work / speed. Starting up, being launched one after another and the longest
    test add to it; what the bound does not explain is the schedule's own loss.
    """
    starts = measured.played.starts
    speeds = world.speeds[: len(starts)]
    work = world.work / sum(speeds)
    delays = [world.delays[index] for index in range(len(starts))]
    start_up = shared_end(work=world.work, starts=delays, speeds=speeds) - work
    launched = shared_end(work=world.work, starts=starts, speeds=speeds) - work - start_up
    longest = measured.bound - work - start_up - launched
    return (
        Part("work", work),
        Part("start-up", start_up),
        Part("launch-rate", launched),
        Part("longest-test", longest),
        Part("schedule", measured.makespan - measured.bound),
    )


def _average(parts: Sequence[tuple[Part, ...]]) -> tuple[Part, ...]:
    return tuple(
        Part(same[0].name, fmean(part.seconds for part in same)) for same in zip(*parts, strict=True)
    )
