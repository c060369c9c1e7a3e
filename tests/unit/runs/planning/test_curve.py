"""The curve and what it picks. Input: jobs and a goal. Output: points. Pure."""

from dataclasses import replace

import pytest

from crosswind.contracts.plans import PlanGoal
from crosswind.runs.planning.curve import Curve, curve
from crosswind.runs.planning.launching import FARGATE
from tests.unit.runs.planning.samples import limits, make_job


def drawn(*, at_most: int = 200, **goal: float) -> Curve:
    jobs = [[make_job(1200), replace(make_job(10), test=make_job(10, name="smoke", shards=2).test)]]
    return curve(jobs, limits(at_most, FARGATE), goal=PlanGoal.model_validate(goal))


def test_the_curve_shows_time_and_money_for_each_step_up_to_what_may_run() -> None:
    points = drawn().points
    assert [point.shards for point in points] == [1, 5, 10, 20, 40, 80, 160, 200]
    assert [point.p50_seconds for point in points] == sorted(
        (point.p50_seconds for point in points), reverse=True
    )
    assert points[-1].dollars > points[1].dollars
    assert all(point.p50_seconds <= point.p90_seconds for point in points)


def test_it_is_reproducible() -> None:
    assert drawn(target_seconds=600) == drawn(target_seconds=600)


def test_a_target_picks_the_fewest_shards() -> None:
    found = drawn(target_seconds=480)
    assert found.chosen is not None
    assert found.chosen in found.points
    assert found.chosen.p90_seconds <= 480
    assert all(point.p90_seconds > 480 for point in found.points if point.shards < found.chosen.shards)


def test_a_target_out_of_reach_says_what_binds() -> None:
    found = drawn(target_seconds=20)
    assert found.chosen is not None
    assert found.missed is not None
    assert "20 s are out of reach" in found.missed


def test_a_budget_picks_the_soonest_end_that_it_pays_for() -> None:
    found = drawn(budget_dollars=0.4)
    assert found.missed is None
    assert found.chosen is not None
    assert found.chosen.dollars <= 0.4
    assert all(
        point.p50_seconds >= found.chosen.p50_seconds for point in found.points if point.dollars <= 0.4
    )


def test_a_budget_that_does_not_suffice_says_so() -> None:
    found = drawn(budget_dollars=0.0001)
    assert found.missed is not None
    assert found.missed == "$0.0001 do not suffice: the cheapest, 1 shard, would cost $0.1725"


def test_a_target_beyond_the_budget_says_both() -> None:
    found = drawn(target_seconds=240, budget_dollars=0.05)
    assert found.missed is not None
    assert "cost" in found.missed


@pytest.mark.parametrize("count", [0, 1])
def test_a_suite_with_hardly_a_test_has_a_curve_of_one_point(count: int) -> None:
    found = curve([[make_job(count)]], limits(), goal=PlanGoal())
    assert [point.shards for point in found.points] == [1]
