"""When a job will be done, as a distribution: pure, by seeded draws of starts, machines and durations.

A draw does not play every test. What runners pull is a fluid: they end together at the smallest T for which the sum over
runners of speed x (T - start) is the work, or later where the longest unit or the last ones hold them up. Fixed lists are
normal sums. So a draw costs O(shards log shards) whatever the number of tests; tests/unit/runs/planning holds the result
against the discrete-event simulation, which does play every test.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Protocol

from crosswind.runs.planning.launching import Launching
from crosswind.runs.planning.splitting import Share
from crosswind.runs.planning.units import Unit

DRAWS = 100
_LAST_UNITS = 2  # for each runner: those that are leased when the list runs dry


class Binding(StrEnum):
    """What keeps a job from ending sooner."""

    WORK = "work"  # more shards help
    START_UP = "start-up"  # most of the time is waiting for machines
    LAUNCH_RATE = "launch-rate"  # machines come no faster
    LONGEST = "longest-test"  # one unit takes so long by itself


@dataclass(frozen=True, slots=True)
class Drawn:
    """One possible course of a job. `busy` are the seconds of each machine that ran, its start-up included."""

    end: float
    busy: tuple[float, ...]


class Workload(Protocol):
    """What a job's shards have to do."""

    @property
    def shards(self) -> int:
        """How many shards there are."""
        ...

    def draw(self, slots: int, launching: Launching, chance: Random) -> Drawn:
        """One possible course, with so many shards at once."""
        ...

    def binding(self, slots: int, launching: Launching, end: float) -> Binding:
        """What binds, where the job ends at `end`."""
        ...


@dataclass(frozen=True, slots=True)
class Pulled:
    """Units that the runners pull, the longest first."""

    shards: int
    seconds: float
    spread: float
    longest: float
    last: float  # mean of the units that are leased last

    @classmethod
    def of(cls, units: Sequence[Unit], *, shards: int) -> "Pulled":
        """Of a job's units."""
        ordered = sorted((unit.seconds for unit in units), reverse=True)
        last = ordered[shards:][-_LAST_UNITS * shards :]  # none where each shard runs a single unit
        return cls(
            shards=shards,
            seconds=math.fsum(ordered),
            spread=math.sqrt(math.fsum(unit.spread**2 for unit in units)),
            longest=ordered[0] if ordered else 0.0,
            last=math.fsum(last) / len(last) if last else 0.0,
        )

    def draw(self, slots: int, launching: Launching, chance: Random) -> Drawn:
        """Runners that start when their machines are there and end together."""
        work = max(chance.gauss(self.seconds, self.spread), 0.0)
        count = min(self.shards, slots)
        if not count:
            return Drawn(0.0, ())
        launched = [launching.launched(index) for index in range(count)]
        runners = sorted((launching.start(index, chance), launching.speed(chance)) for index in range(count))
        fluid = even_end(runners, work)
        first = runners[0]
        end = max(fluid, first[0] + self.longest / first[1]) + self.last / 2
        return Drawn(
            end, tuple(max(end, start) - at for (start, _), at in zip(runners, launched, strict=True))
        )

    def binding(self, slots: int, launching: Launching, end: float) -> Binding:
        """The longest unit where it fills most of the time, else the start-up or the work."""
        if self.longest + launching.cold_least >= 0.9 * end:
            return Binding.LONGEST
        return _between(self.seconds / min(self.shards, slots), min(self.shards, slots), launching, end)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Shards with lists of their own; more of them than slots run in turns, the longest first."""

    parts: tuple[Share, ...]

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return len(self.parts)

    def draw(self, slots: int, launching: Launching, chance: Random) -> Drawn:
        """Each shard on a machine of its own, as soon as there is a slot."""
        count = min(self.shards, slots)
        free = [(launching.launched(index), index) for index in range(count)]
        busy = []
        for part in sorted(self.parts, key=lambda part: -part.seconds):
            at, index = heapq.heappop(free)
            cold = chance.uniform(launching.cold_least, launching.cold_most)
            taken = cold + max(chance.gauss(part.seconds, part.spread), 0.0) / launching.speed(chance)
            busy.append(taken)
            heapq.heappush(free, (at + taken, index))
        return Drawn(max((at for at, _ in free), default=0.0), tuple(busy))

    def binding(self, slots: int, launching: Launching, end: float) -> Binding:
        """The start-up or the work: a longest test shows as the longest share."""
        count = max(min(self.shards, slots), 1)
        work = math.fsum(part.seconds for part in self.parts) / count
        longest = max((part.seconds for part in self.parts), default=0.0)
        alone = max(self.parts, key=lambda part: part.seconds, default=None)
        if (
            alone is not None
            and len(alone.test_ids or ()) == 1
            and longest >= 0.6 * end
            and longest > 1.2 * work
        ):
            return Binding.LONGEST
        return _between(work, count, launching, end)


@dataclass(frozen=True, slots=True)
class Finish:
    """When all is done, counted from the first launch, and what the machines were kept for."""

    p50: float
    p90: float
    busy: tuple[tuple[float, ...], ...]  # by job, of the draw in the middle: for its cost
    binding: Binding


def forecast(
    stages: Sequence[Sequence[Workload]], *, slots: int, launching: Launching, seed: str, draws: int = DRAWS
) -> Finish:
    """Stages run in order; the jobs of one share the slots in proportion to their shards. The same seed, the same answer."""
    chance = Random(seed)  # noqa: S311 - a simulation, not a secret
    shared = [_shared(stage, slots, launching) for stage in stages]
    courses = sorted((_course(shared, chance) for _ in range(draws)), key=lambda course: course[0])
    middle, busy = courses[len(courses) // 2]
    return Finish(
        p50=middle,
        p90=courses[len(courses) * 9 // 10][0],
        busy=busy,
        binding=_binding(shared, middle),
    )


_Given = tuple[Workload, int, Launching]


def _course(
    stages: Sequence[Sequence[_Given]], chance: Random
) -> tuple[float, tuple[tuple[float, ...], ...]]:
    end = 0.0
    busy = []
    for stage in stages:
        drawn = [job.draw(slots, launching, chance) for job, slots, launching in stage]
        end += max((each.end for each in drawn), default=0.0)
        busy += [each.busy for each in drawn]
    return end, tuple(busy)


def _shared(stage: Sequence[Workload], slots: int, launching: Launching) -> list[_Given]:
    """Each job with its part of the slots and of the launches."""
    total = sum(job.shards for job in stage)
    shared = []
    for job in stage:
        part = job.shards / total if total else 1.0
        rate = launching.per_second * part if launching.per_second is not None else None
        paced = replace(launching, per_second=rate or None)
        shared.append((job, max(round(min(slots, total) * part), 1), paced))
    return shared


def _binding(stages: Sequence[Sequence[_Given]], end: float) -> Binding:
    """Of the job with the most shards, which is the one that a reader would look at first."""
    jobs = [each for stage in stages for each in stage]
    if not jobs:
        return Binding.START_UP
    job, slots, launching = max(jobs, key=lambda each: each[0].shards)
    return job.binding(slots, launching, end / sum(1 for stage in stages if stage))


def even_end(runners: Sequence[tuple[float, float]], work: float) -> float:
    """The smallest T with sum of speed x max(0, T - start) = work. `runners` are (start, speed), sorted."""
    speeds = 0.0
    weighted = 0.0
    end = 0.0
    for index, (start, speed) in enumerate(runners):
        speeds += speed
        weighted += speed * start
        end = (work + weighted) / speeds
        if index + 1 == len(runners) or end <= runners[index + 1][0]:
            break
    return end


def _between(work_each: float, count: int, launching: Launching, end: float) -> Binding:
    if work_each >= end / 2:
        return Binding.WORK
    pacing = launching.launched(count - 1) / 2
    return Binding.LAUNCH_RATE if pacing > launching.cold_mean else Binding.START_UP
