"""What a simulated run meets: tests with their real durations, machines with their starts and speeds. Pure, by a seed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

from crosswind.contracts.resolved import ResolvedTest
from crosswind.contracts.suites import Distribution
from crosswind.runs.history.model import Timing
from crosswind.runs.planning.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What worlds of one kind have in common. The default is the one that docs/performance.md quotes."""

    tests: int = 1000
    runners: int = 20
    mean_seconds: float = 10.0  # of a test
    sigma: float = 1.0  # of its logarithm: the longest of 1,000 takes some 15 times the mean
    noise: float = 0.3  # sigma of the logarithm of an estimate's error
    start_least: float = 30.0
    start_most: float = 90.0
    slow_share: float = 0.25
    slow_speed: float = 0.75
    launches_per_second: float | None = None
    lease_seconds: float = 0.1  # that leasing and committing a batch keeps a runner from its tests
    tests_per_file: int = 1


@dataclass(frozen=True)
class World:
    """One world. Policies see `job` and nothing else of it before it happens."""

    setting: Setting
    seconds: Mapping[str, float]  # what each test takes on a machine of speed 1
    estimates: Mapping[str, float]
    delays: tuple[float, ...]  # of each machine, from its launch to its first test
    speeds: tuple[float, ...]

    @cached_property
    def work(self) -> float:
        """Seconds of all tests."""
        return math.fsum(self.seconds.values())

    @cached_property
    def longest(self) -> float:
        """Seconds of the longest one."""
        return max(self.seconds.values())

    def job(self, distribution: Distribution, *, measured: bool) -> Job:
        """The job as planning sees it, with a history of its tests or without."""
        timings = {name: Timing(seconds, 0.0, samples=5) for name, seconds in self.estimates.items()}
        test = ResolvedTest(
            name="simulated",
            stage=0,
            framework="pytest",
            args=(),
            env={},
            secret_refs={},
            shards=self.setting.runners,
            distribution=distribution,
            test_retries=0,
            infrastructure_retries=0,
            timeout_seconds=3600,
            reports=(),
            artifacts=(),
        )
        return Job(test=test, discovered=tuple(self.seconds), timings=timings if measured else {})


def draw(setting: Setting, seed: int) -> World:
    """The world of a seed: the same tests and machines for every policy."""
    chance = Random(seed)  # noqa: S311 - a simulation, not a secret
    middle = math.log(setting.mean_seconds) - setting.sigma**2 / 2
    names = [
        f"test_{index // setting.tests_per_file:05d}.py::test_{index:06d}" for index in range(setting.tests)
    ]
    seconds = {name: chance.lognormvariate(middle, setting.sigma) for name in names}
    estimates = {name: seconds[name] * chance.lognormvariate(0.0, setting.noise) for name in names}
    machines = range(setting.runners)
    return World(
        setting=setting,
        seconds=seconds,
        estimates=estimates,
        delays=tuple(chance.uniform(setting.start_least, setting.start_most) for _ in machines),
        speeds=tuple(setting.slow_speed if chance.random() < setting.slow_share else 1.0 for _ in machines),
    )
