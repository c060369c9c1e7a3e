"""What runs have cost, and what would cost less. Dollars at the prices that are named beside them."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.clusters import CapacityKind

Price = Annotated[float, Field(ge=0, le=10_000)]
Share = Annotated[float, Field(ge=0, le=10)]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,39}$")]

MAX_LISTED = 2000
DEFAULT_DAYS = 30
MAX_DAYS = 365


class CostGrouping(StrEnum):
    """By what a run's cost is listed."""

    JOB = "job"
    SHARD = "shard"
    TEST = "test"


class FargatePrice(WireModel):
    """Of a second of a pod that has a machine to itself."""

    vcpu_hour: Price
    gib_hour: Price
    least_seconds: float = Field(default=60.0, ge=0, le=3600)


class FamilyPrice(WireModel):
    """Of the machines of a family: all its sizes cost the same for a vCPU."""

    vcpu_hour: Price
    gib_per_vcpu: float = Field(gt=0, le=1000)


class InstancePrice(WireModel):
    """Of one type of machine."""

    hour: Price
    vcpus: float = Field(gt=0, le=10_000)
    memory_gib: float = Field(gt=0, le=100_000)
    spot_hour: Price | None = Field(
        default=None, description="On Spot; None: the list's share of the other price."
    )


class PriceList(WireModel):
    """Prices as data. An operator's own replaces the built-in one as a whole."""

    date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    region: str = Field(max_length=40)
    source: str = Field(max_length=500)
    currency: Literal["USD"] = "USD"
    fargate: FargatePrice
    spot_share: Share = Field(description="Of the on-demand price, where an instance has no Spot price.")
    management_share: Share = Field(
        default=0.0, description="On top of a machine's on-demand price, such as EKS Auto Mode's fee."
    )
    families: dict[_Name, FamilyPrice] = Field(default={}, max_length=500)
    instances: dict[_Name, InstancePrice] = Field(
        default={}, max_length=2000, description="Looked at before families."
    )


class PricesView(WireModel):
    """By which prices it was counted."""

    date: str
    region: str
    source: str
    currency: str


class CostParts(WireModel):
    """Dollars."""

    tests: float = Field(default=0.0, ge=0, description="Pods from the agent's start to their end.")
    startup: float = Field(default=0.0, ge=0, description="The same pods before: image, containers.")
    lost: float = Field(default=0.0, ge=0, description="Pods of attempts that did not count, as a whole.")
    preparation: float = Field(default=0.0, ge=0, description="Pods that prepared the source.")
    control: float = Field(default=0.0, ge=0, description="Planning, queueing, watching and recording.")
    total: float = Field(default=0.0, ge=0)


class UseView(WireModel):
    """What the tests of a job have used of what they asked for, the worst of its shards."""

    cpu_p95_millis: int
    cpu_max_millis: int
    memory_max_mib: int
    throttled_share: float = Field(default=0.0, ge=0, description="Of the time, where it is known.")
    samples: int = Field(ge=0)
    out_of_memory: bool = False


class JobCost(WireModel):
    """A test job of the run, in one variant."""

    test: str
    variant: str = ""
    shards: int = Field(ge=0)
    tests: int = Field(ge=0)
    test_seconds: float = Field(ge=0, description="The durations of its tests, added up.")
    pod_seconds: float = Field(default=0.0, ge=0, description="For which the pods that counted were paid.")
    capacity: CapacityKind | None = Field(default=None, description="Of the most of its pods.")
    cost: CostParts
    cpu_millis: int | None = Field(default=None, description="Asked for by each shard.")
    memory_mib: int | None = None
    used: UseView | None = None


class ShardCost(WireModel):
    """A shard or preparation of the run, over all its pods."""

    work_id: str
    test: str
    pods: int = Field(ge=0, description="0: it ran on the pool of runners.")
    capacity: CapacityKind | None = None
    billed_cpu_millis: int | None = None
    billed_memory_mib: int | None = None
    seconds: float = Field(default=0.0, ge=0, description="Billed, of all its pods.")
    startup_seconds: float = Field(default=0.0, ge=0)
    tests: int = Field(default=0, ge=0)
    cost: CostParts


class CaseCost(WireModel):
    """A test of the run: its part of its shard's `tests`, by its duration."""

    id: str
    test: str
    variant: str = ""
    name: str
    work_id: str
    seconds: float = Field(ge=0)
    dollars: float = Field(ge=0)


class RunCost(WireModel):
    """GET /api/v1/tests/{id}/cost: what a run has cost, the dearest first."""

    execution_id: str
    team: str
    suite: str
    round: int = 1
    complete: bool = Field(description="False: it goes on, or a pod of it does.")
    prices: PricesView
    cost: CostParts
    jobs: tuple[JobCost, ...] = ()
    shards: tuple[ShardCost, ...] = Field(default=(), max_length=MAX_LISTED)
    tests: tuple[CaseCost, ...] = Field(default=(), max_length=MAX_LISTED)
    more: int = Field(default=0, ge=0, description="Shards or tests that are not listed.")
    notes: tuple[str, ...] = Field(default=(), description="What could not be counted, as sentences.")


class SizeAdvice(WireModel):
    """A test job's size against what its last runs have used."""

    suite: str
    test: str
    variant: str = ""
    runs: int = Field(ge=1)
    cpu_millis: int = Field(description="Asked for.")
    memory_mib: int
    used: UseView
    verdict: Literal["less", "more", "fits"]
    cpu: str | None = Field(default=None, description="For `resources.cpu`, where it should be another one.")
    memory: str | None = None
    saving_per_run: float = Field(default=0.0, description="Dollars; below 0: it costs more.")
    saving_per_month: float = Field(default=0.0, description="With as many runs as in the days looked at.")
    reason: str


class SuiteCost(WireModel):
    """A suite's finished runs."""

    suite: str
    runs: int = Field(ge=1)
    cost: CostParts


class TestRunCost(WireModel):
    """What one test cost in one run."""

    __test__ = False  # pytest: not a test class

    execution_id: str
    at: str
    outcome: str = Field(description="A letter: p, f, e, l, s or m.")
    seconds: float = Field(ge=0)
    estimated: bool = Field(description="Its duration in this run is not kept; it is the median of others.")
    dollars: float = Field(ge=0)


class TestCosts(WireModel):
    """What one test, in one variant, has cost: its seconds at what a second of its job's tests cost in that run."""

    __test__ = False  # pytest: not a test class

    suite: str
    test: str
    variant: str = ""
    id: str
    name: str
    dollars: float = Field(ge=0)
    runs: tuple[TestRunCost, ...] = ()


class TeamCosts(WireModel):
    """GET /api/v1/costs: what a team's finished runs have cost, by suite, and which sizes do not fit."""

    team: str
    days: int
    runs: int
    left_out: int = Field(
        default=0,
        ge=0,
        description="Finished runs that were not counted in the time there is; ask again: what was counted is kept.",
    )
    prices: PricesView
    cost: CostParts
    suites: tuple[SuiteCost, ...] = ()
    sizes: tuple[SizeAdvice, ...] = Field(default=(), max_length=MAX_LISTED)
    tests: tuple[TestCosts, ...] = Field(default=(), description="With `test`: what it has cost.")
    notes: tuple[str, ...] = ()
