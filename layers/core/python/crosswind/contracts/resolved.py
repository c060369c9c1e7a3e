"""Documents of a run in the artifacts bucket: the resolved suite, the plan, the index of folded results."""

from typing import Literal

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.requests import CaseStatus
from crosswind.contracts.suites import Distribution, Framework, GatesSpec, Priority, StageCondition


class ResolvedTest(WireModel):
    """One test job after parameters and matrix: nothing is left to substitute, durations are seconds."""

    name: str
    variant: str = Field(
        default="", description="Matrix values such as `browser=chrome,os=linux`; empty without a matrix."
    )
    stage: int = Field(ge=0)
    prepare_work_id: str | None = Field(
        default=None, description="The preparation of this run that makes its archive."
    )
    discovery_key: str | None = Field(
        default=None, description="Or the Discovery of an earlier, equal preparation."
    )
    framework: Framework
    command: str | None = None
    args: tuple[str, ...]
    env: dict[str, str]
    secret_refs: dict[str, str]
    shards: int | Literal["auto"]
    target_seconds: int | None = None
    max_parallel: int | None = None
    distribution: Distribution = Distribution.AUTO
    cpu_millis: int | None = None
    anti_affinity: str | None = None
    fail_fast: bool = False
    matrix_index: int = Field(default=0, ge=0)
    matrix_count: int = Field(default=1, ge=1)
    test_retries: int
    infrastructure_retries: int
    timeout_seconds: int
    memory_mib: int | None = None
    reports: tuple[str, ...]
    artifacts: tuple[str, ...]


class ResolvedStage(WireModel):
    """One stage with its condition decided as far as parameters go."""

    name: str
    when: StageCondition = StageCondition.PASSED
    left_out: str | None = Field(
        default=None, description="Why its `condition` leaves it out; None: it does not."
    )
    fail_fast: bool = False


class ResolvedSuite(WireModel):
    """`spec.json`: what a run was asked to do, kept as it was at submission."""

    run_id: str
    team: str
    suite: str
    priority: Priority
    timeout_seconds: int
    concurrency: int
    suite_concurrency: int | None = None
    stage_names: tuple[str, ...]
    stages: tuple[ResolvedStage, ...] = ()
    gates: GatesSpec
    tests: tuple[ResolvedTest, ...]


class PlannedShard(WireModel):
    """One shard of the plan."""

    work_id: str
    test: str
    variant: str
    test_ids: tuple[str, ...] | None = Field(
        default=None, description="None: the framework cannot tell; whatever reports, counts."
    )
    estimate_seconds: float


class PlannedStage(WireModel):
    """One stage of the plan and where its tickets are."""

    name: str
    when: StageCondition = StageCondition.PASSED
    left_out: str | None = Field(default=None, description="Why its `condition` leaves it out.")
    tickets_key: str
    shards: tuple[PlannedShard, ...]


class Plan(WireModel):
    """`plan.json`: stored once; recovery executions run over the same plan."""

    run_id: str
    stages: tuple[PlannedStage, ...]
    discovered: int | None = None
    method: str = Field(description="How tests were split, for people: by-duration, by-count or whole.")
    reason: str | None = None
    failure_kind: str | None = Field(
        default=None, description="Of the failure that left nothing to plan: setup or infrastructure."
    )
    errors: tuple[str, ...] = Field(
        default=(), description="Collection errors that the verdict must tell of."
    )


class ResultsIndex(WireModel):
    """`results/index.json`: folded cases lie in pages of `page_size`, sorted by status (worst first), then id."""

    page_size: int
    total: int
    ranges: dict[CaseStatus, tuple[int, int]] = Field(description="Half-open row ranges by status.")
    faults: tuple[str, ...] = Field(
        default=(), description="Unreadable, missing or doubled records, as sentences."
    )
