"""What other numbers of shards would take and cost, and which of them reaches a goal. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from crosswind.contracts.plans import CurvePoint, PlanGoal
from crosswind.runs.planning.forecasting import Finish, forecast
from crosswind.runs.planning.jobs import Job, JobPlan, Limits, fewest, plan_job
from crosswind.runs.planning.pricing import Cost, cost, dollars
from crosswind.runs.planning.splitting import MOST_SHARDS

STEPS = (1, 5, 10, 20, 40, 80, 160, 320, 640, MOST_SHARDS)


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of the curve, the one for the goal, and why the goal is missed."""

    points: tuple[CurvePoint, ...]
    chosen: CurvePoint | None
    missed: str | None = None


def point(stages: Sequence[Sequence[JobPlan]], limits: Limits, *, shards: int) -> CurvePoint:
    """What planned jobs are expected to take with so many shards at once."""
    finish = forecast(
        [[plan.workload for plan in stage] for stage in stages],
        slots=shards,
        launching=limits.launching,
        seed=limits.seed,
    )
    spent = _cost(finish, [plan for stage in stages for plan in stage])
    return CurvePoint(
        shards=shards,
        p50_seconds=round(finish.p50, 1),
        p90_seconds=round(finish.p90, 1),
        dollars=round(spent.total, 6),
        compute_dollars=round(spent.compute, 6),
        control_dollars=round(spent.control, 6),
        binds=finish.binding.value,
    )


def curve(stages: Sequence[Sequence[Job]], limits: Limits, *, goal: PlanGoal) -> Curve:
    """The curve of a suite, from 1 shard to as many as may run at once.

    Jobs that leave their number open share `n` by their work; the others keep theirs and run with the slots there are.
    """
    most = min(_most(stages, limits), limits.at_most, MOST_SHARDS)

    @cache
    def at(shards: int) -> CurvePoint:
        planned = [_planned(stage, limits, shards) for stage in stages]
        return point(planned, replace(limits, at_most=shards), shards=shards)

    steps = sorted({step for step in STEPS if step < most} | {most})
    points = [at(step) for step in steps]
    chosen, missed = _choose(at, points, goal, most=most)
    if chosen is not None and chosen not in points:
        points = sorted([*points, chosen], key=lambda each: each.shards)
    return Curve(points=tuple(points), chosen=chosen, missed=missed)


def _most(stages: Sequence[Sequence[Job]], limits: Limits) -> int:
    """As many shards at once as the fullest stage can use."""
    return max(1, *(sum(_usable(job, limits) for job in stage) for stage in stages), 1)


def _usable(job: Job, limits: Limits) -> int:
    return job.most_shards(limits) if job.test.shards == "auto" else job.test.shards


def _planned(stage: Sequence[Job], limits: Limits, shards: int) -> list[JobPlan]:
    work = sum(job.seconds for job in stage if job.test.shards == "auto") or 1.0
    return [
        plan_job(
            job,
            limits,
            shards=min(max(round(shards * job.seconds / work), 1), job.most_shards(limits))
            if job.test.shards == "auto"
            else None,
        )
        for job in stage
    ]


def _cost(finish: Finish, plans: Sequence[JobPlan]) -> Cost:
    spent = Cost()
    for plan, busy in zip(plans, finish.busy, strict=True):
        spent += cost(busy, plan.job.size, batches=plan.batches)
    return spent


def _choose(
    at: Callable[[int], CurvePoint], points: Sequence[CurvePoint], goal: PlanGoal, *, most: int
) -> tuple[CurvePoint | None, str | None]:
    if goal.target_seconds is not None:
        return _for_target(at, points, goal.target_seconds, goal.budget_dollars, most=most)
    if goal.budget_dollars is not None:
        return _for_budget(at, points, goal.budget_dollars, most=most)
    return None, None


def _for_target(
    at: Callable[[int], CurvePoint],
    points: Sequence[CurvePoint],
    target: float,
    budget: float | None,
    *,
    most: int,
) -> tuple[CurvePoint, str | None]:
    count = fewest(lambda shards: at(shards).p90_seconds <= target, most)
    if count is None:
        best = min(points, key=lambda each: (each.p90_seconds, each.shards))
        return best, (
            f"{target:.0f} s are out of reach: {_shards(best.shards)} would take {best.p90_seconds:.0f} s "
            f"nine times in ten, and what binds then is the {best.binds}"
        )
    chosen = at(count)
    if budget is not None and chosen.dollars > budget:
        return (
            chosen,
            f"{_shards(count)} would finish in {target:.0f} s, but cost {dollars(chosen.dollars)}, not {dollars(budget)}",
        )
    return chosen, None


def _shards(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"


def _for_budget(
    at: Callable[[int], CurvePoint], points: Sequence[CurvePoint], budget: float, *, most: int
) -> tuple[CurvePoint, str | None]:
    """The soonest end within the budget: among the curve's points and the most shards that it pays for."""
    least = min(points, key=lambda each: (each.dollars, each.shards))
    if least.dollars > budget:
        return (
            least,
            f"{dollars(budget)} do not suffice: the cheapest, {_shards(least.shards)}, would cost {dollars(least.dollars)}",
        )
    too_many = fewest(lambda shards: at(shards).dollars > budget, most)
    affordable = [each for each in points if each.dollars <= budget]
    if too_many is not None and too_many > 1:
        affordable.append(at(too_many - 1))
    return min(affordable, key=lambda each: (each.p50_seconds, each.shards)), None
