"""What a forecast says of a job. Input: workloads and an executor. Output: p50 and p90, held against the simulation."""

from statistics import median

import pytest

from crosswind.contracts.suites import Distribution
from crosswind.runs.planning.forecasting import Binding, forecast
from crosswind.runs.planning.jobs import Job, plan_job
from crosswind.runs.planning.launching import FARGATE, POOL, Launching
from crosswind.runs.simulation.policies import Policy, measure
from crosswind.runs.simulation.worlds import Setting, draw
from tests.unit.runs.planning.samples import limits, make_job

LIKE_THE_SIMULATION = Launching(
    name="simulated", cold_least=30.0, cold_most=90.0, slow_share=0.25, slow_speed=0.75
)


def p50_p90(job: Job, slots: int, launching: Launching) -> tuple[float, float]:
    finish = forecast(
        [[plan_job(job, limits(slots, launching)).workload]], slots=slots, launching=launching, seed="s"
    )
    return finish.p50, finish.p90


def test_the_same_seed_gives_the_same_forecast_and_p90_is_later() -> None:
    first = p50_p90(make_job(200, shards=10), 10, FARGATE)
    assert first == p50_p90(make_job(200, shards=10), 10, FARGATE)
    assert first[0] <= first[1]


def test_more_slots_end_sooner_until_launches_bind() -> None:
    ends = [p50_p90(make_job(2000, shards=count), count, FARGATE)[0] for count in (5, 20, 80, 320)]
    assert ends == sorted(ends, reverse=True)
    assert p50_p90(make_job(1000, shards=1000), 1000, FARGATE)[0] > 50


def test_shards_beyond_the_slots_run_in_turns() -> None:
    static = make_job(100, shards=10, distribution=Distribution.STATIC)
    assert p50_p90(static, 5, POOL)[0] == pytest.approx(2 * p50_p90(static, 10, POOL)[0], rel=0.1)


def test_what_binds_is_told() -> None:
    def binds(job: Job, slots: int, launching: Launching) -> Binding:
        workload = plan_job(job, limits(slots, launching)).workload
        return forecast([[workload]], slots=slots, launching=launching, seed="s").binding

    assert binds(make_job(2000, shards=10), 10, FARGATE) is Binding.WORK
    assert binds(make_job(20, seconds=1.0, shards=10), 10, FARGATE) is Binding.START_UP
    assert binds(make_job(5, seconds=300.0, shards=5), 5, POOL) is Binding.LONGEST
    crawling = Launching(name="slow", per_second=1.0, burst=1)
    assert binds(make_job(1000, seconds=1.0, shards=500), 500, crawling) is Binding.LAUNCH_RATE


@pytest.mark.parametrize(
    ("policy", "distribution", "within"),
    [
        (Policy.PULL_LONGEST_FIRST, Distribution.PULL, 0.05),
        (Policy.STATIC_LONGEST_FIRST, Distribution.STATIC, 0.15),
    ],
)
def test_the_forecast_agrees_with_the_simulation_that_plays_every_test(
    policy: Policy, distribution: Distribution, within: float
) -> None:
    """A history has measured on machines of both kinds, so its durations are longer by their mean."""
    setting = Setting(tests=600, runners=12, sigma=0.7)
    mean_time = 0.75 + 0.25 / 0.75
    played = []
    told = []
    for seed in range(12):
        world = draw(setting, seed)
        played.append(measure(world, policy).makespan)
        job = world.job(distribution, measured=True)
        slower = {
            name: type(each)(each.seconds * mean_time, each.spread_seconds, each.samples)
            for name, each in job.timings.items()
        }
        known = Job(test=job.test, discovered=job.discovered, timings=slower)
        told.append(p50_p90(known, setting.runners, LIKE_THE_SIMULATION)[0])
    assert median(told) == pytest.approx(median(played), rel=within)
