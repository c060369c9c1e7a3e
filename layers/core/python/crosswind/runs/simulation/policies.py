"""Ways to give tests to runners, played over the same worlds and measured against what is possible. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from crosswind.contracts.suites import Distribution
from crosswind.contracts.work import PullList, PullUnit
from crosswind.runs.admission.model import Capacity
from crosswind.runs.planning.jobs import JobPlan, Limits, plan_job
from crosswind.runs.planning.launching import POOL
from crosswind.runs.planning.splitting import Method
from crosswind.runs.pulling.worklist import stripes_for
from crosswind.runs.simulation.bounds import lower_bound
from crosswind.runs.simulation.playing import (
    FixedLists,
    Played,
    PulledList,
    Source,
    entry_of,
    holder_of,
    play,
)
from crosswind.runs.simulation.worlds import Setting, World, draw


class Policy(StrEnum):
    """How tests reach the runners."""

    COUNT_SPLIT = "count-split"
    STATIC_LONGEST_FIRST = "static-longest-first"
    PULL_ARRIVAL_ORDER = "pull-arrival-order"
    PULL_LONGEST_FIRST = "pull-longest-first"


@dataclass(frozen=True, slots=True)
class Measured:
    """One world under one policy."""

    makespan: float
    bound: float
    played: Played

    @property
    def ratio(self) -> float:
        """The makespan over the bound."""
        return self.makespan / self.bound


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of one figure over all seeds."""

    p50: float
    p90: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Quantiles":
        """Nearest rank."""
        ordered = sorted(values)
        return cls(ordered[(len(ordered) - 1) // 2], ordered[min(len(ordered) * 9 // 10, len(ordered) - 1)])


@dataclass(frozen=True, slots=True)
class Summary:
    """A policy over all seeds."""

    ratio: Quantiles
    makespan: Quantiles
    batches: float  # leased, on average


def measure(world: World, policy: Policy) -> Measured:
    """Plan, admit and run one world."""
    plan = _planned(world, policy)
    entries = [
        entry_of(index, seconds, concurrency=plan.shards) for index, seconds in enumerate(_estimates(plan))
    ]
    source: Source
    lease_seconds = 0.0
    if plan.method is Method.PULL:
        units = _arrival_order(plan) if policy is Policy.PULL_ARRIVAL_ORDER else plan.pull
        pulled = PullList(
            pull_id="simulated", runners=plan.shards, stripes=stripes_for(plan.shards), units=units
        )
        source = PulledList(pulled, [holder_of(entry) for entry in entries])
        lease_seconds = world.setting.lease_seconds
    else:
        source = FixedLists(plan.shares)
    played = play(world, source, entries, _capacity(world.setting), lease_seconds=lease_seconds)
    bound = lower_bound(
        work=world.work,
        longest=world.longest,
        starts=played.starts,
        speeds=world.speeds[: len(played.starts)],
    )
    return Measured(makespan=played.makespan, bound=bound, played=played)


def compare(
    setting: Setting, *, seeds: int, policies: Sequence[Policy] = tuple(Policy)
) -> Mapping[Policy, Summary]:
    """Every policy over the worlds of seeds 0 to `seeds` - 1."""
    found: dict[Policy, list[Measured]] = {policy: [] for policy in policies}
    for world in _worlds(setting, seeds):
        for policy in policies:
            found[policy].append(measure(world, policy))
    return {policy: _summary(measured) for policy, measured in found.items()}


def _worlds(setting: Setting, seeds: int) -> Iterator[World]:
    return (draw(setting, seed) for seed in range(seeds))


def _summary(measured: Sequence[Measured]) -> Summary:
    return Summary(
        ratio=Quantiles.of([each.ratio for each in measured]),
        makespan=Quantiles.of([each.makespan for each in measured]),
        batches=fmean(each.played.batches for each in measured),
    )


def _planned(world: World, policy: Policy) -> JobPlan:
    pulled = policy in {Policy.PULL_ARRIVAL_ORDER, Policy.PULL_LONGEST_FIRST}
    distribution = Distribution.PULL if pulled else Distribution.STATIC
    job = world.job(distribution, measured=policy is not Policy.COUNT_SPLIT)
    return plan_job(job, Limits(at_most=world.setting.runners, launching=POOL))


def _estimates(plan: JobPlan) -> list[float]:
    if plan.method is Method.PULL:
        return [plan.job.seconds / plan.shards] * plan.shards
    return [share.seconds for share in plan.shares]


def _arrival_order(plan: JobPlan) -> tuple[PullUnit, ...]:
    return tuple(PullUnit(test_ids=unit.test_ids, estimate_seconds=unit.seconds) for unit in plan.units or ())


def _capacity(setting: Setting) -> Capacity:
    burst = max(int(setting.launches_per_second or 1), 1)
    return Capacity(
        slots=setting.runners, launches_per_second=setting.launches_per_second, launch_burst=burst
    )
