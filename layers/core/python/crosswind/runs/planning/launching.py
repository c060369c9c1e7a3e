"""How soon shards start, and how fast their machines are: what a forecast assumes of an executor. Pure."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Launching:
    """An executor's start-up. A cold start is taken to be anywhere between its bounds."""

    name: str
    cold_least: float = 0.0
    cold_most: float = 0.0
    per_second: float | None = None  # launches that it takes; None: all at once
    burst: int = 1
    slow_share: float = 0.0  # of the machines
    slow_speed: float = 1.0  # of such a one, beside the others

    @property
    def cold_mean(self) -> float:
        """Seconds that a shard waits for its machine, on average."""
        return (self.cold_least + self.cold_most) / 2

    def launched(self, index: int) -> float:
        """When the n-th shard is launched, counted from the first."""
        if self.per_second is None:
            return 0.0
        return max(0.0, (index + 1 - self.burst) / self.per_second)

    def start(self, index: int, chance: Random) -> float:
        """When the n-th shard begins with its tests."""
        return self.launched(index) + chance.uniform(self.cold_least, self.cold_most)

    def speed(self, chance: Random) -> float:
        """Of one machine, beside the average one on which durations were measured."""
        mean_time = 1 - self.slow_share + self.slow_share / self.slow_speed
        return mean_time * (self.slow_speed if chance.random() < self.slow_share else 1.0)


POOL = Launching(name="pool")
"""Runners that stand ready: the laptop, or a team's own hosts."""

LOCAL_STAGE = "local"

FARGATE = Launching(
    name="fargate",
    cold_least=30.0,
    cold_most=90.0,
    per_second=20.0,
    burst=20,
    slow_share=0.25,
    slow_speed=0.75,
)
"""EKS on Fargate: 20 pod launches a second, 30 to 90 s to start. That one machine in four is slower by a quarter is an
assumption: Fargate does not say which processor a pod gets."""


def launching_on(stage: str) -> Launching:
    """The executor of a stage."""
    return POOL if stage == LOCAL_STAGE else FARGATE
