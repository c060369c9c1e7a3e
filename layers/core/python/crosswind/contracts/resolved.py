"""Documents of a run in the artifacts bucket: the resolved suite, the plan, the index of folded results."""

from typing import Literal

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.load import LoadSpec, LoadSummary
from crosswind.contracts.plans import CurvePoint, PlanGoal, PlannedJob, PlannedSkip
from crosswind.contracts.services import ServiceSpec
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import Distribution, GatesSpec, Priority, Scalar, StageCondition


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
    framework: str
    manifest: FrameworkSpec | None = Field(
        default=None, description="Of a framework of the team's own, as it was at submission."
    )
    working_directory: str | None = None
    command: str | None = None
    args: tuple[str, ...]
    env: dict[str, str]
    secret_refs: dict[str, str]
    shards: int | Literal["auto"]
    target_seconds: int | None = None
    max_parallel: int | None = None
    distribution: Distribution = Distribution.AUTO
    cpu_millis: int | None = None
    image: str | None = None
    interruptible: bool = True
    services: tuple[ServiceSpec, ...] = ()
    anti_affinity: str | None = None
    load: LoadSpec | None = None
    fail_fast: bool = False
    matrix_index: int = Field(default=0, ge=0)
    matrix_count: int = Field(default=1, ge=1)
    test_retries: int
    infrastructure_retries: int
    timeout_seconds: int
    memory_mib: int | None = None
    reports: tuple[str, ...]
    artifacts: tuple[str, ...]


class ResolvedChaos(WireModel):
    """The experiment beside a stage."""

    experiment: str
    after_seconds: int = 0
    required: bool = True
    parameters: dict[str, Scalar] = Field(default={})


class ResolvedStage(WireModel):
    """One stage with its condition decided as far as parameters go."""

    name: str
    when: StageCondition = StageCondition.PASSED
    left_out: str | None = Field(
        default=None, description="Why its `condition` leaves it out; None: it does not."
    )
    fail_fast: bool = False
    chaos: ResolvedChaos | None = None


class ResolvedSuite(WireModel):
    """`spec.json`: what a run was asked to do, kept as it was at submission."""

    run_id: str
    team: str
    suite: str
    priority: Priority
    timeout_seconds: int
    concurrency: int
    suite_concurrency: int | None = None
    cluster: str | None = Field(default=None, description="Where its pods run; None: in the pool of runners.")
    stage_names: tuple[str, ...]
    stages: tuple[ResolvedStage, ...] = ()
    gates: GatesSpec
    tests: tuple[ResolvedTest, ...]
    goal: PlanGoal | None = Field(
        default=None, description="Of a plan that is made without a run: what it aims at."
    )


class PlannedShard(WireModel):
    """One shard of the plan."""

    work_id: str
    test: str
    variant: str
    test_ids: tuple[str, ...] | None = Field(
        default=None, description="None: the framework cannot tell; whatever reports, counts."
    )
    group_separator: str | None = Field(
        default=None,
        description="Where `testIds` are groups such as files: records whose names begin with one and this belong to it.",
    )
    estimate_seconds: float


class PlannedStage(WireModel):
    """One stage of the plan and where its tickets are."""

    name: str
    when: StageCondition = StageCondition.PASSED
    left_out: str | None = Field(default=None, description="Why its `condition` leaves it out.")
    tickets_key: str
    shards: tuple[PlannedShard, ...]


class PlannedPull(WireModel):
    """The tests of a job whose shards lease them from one list: each of them runs in one of `work_ids`."""

    pull_id: str
    test: str
    variant: str
    key: str = Field(description="The PullList in the artifacts bucket.")
    test_ids: tuple[str, ...]
    work_ids: tuple[str, ...]
    estimate_seconds: float


class PlannedLoad(WireModel):
    """The workers of a load job: shards that begin together and are judged as one."""

    group: str
    test: str
    variant: str
    work_ids: tuple[str, ...]


class Plan(WireModel):
    """`plan.json`: stored once; recovery executions run over the same plan. Equal inputs give equal bytes."""

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
    round: int = Field(default=1, ge=1, description="1, and one more for each rerun of failed tests.")
    supersedes: tuple[str, ...] = Field(
        default=(),
        description="Shards of earlier rounds whose faults and losses this round makes good: what they left open runs again.",
    )
    pulls: tuple[PlannedPull, ...] = Field(
        default=(), description="Where the tests of shards without `test_ids` are, if they pull."
    )
    loads: tuple[PlannedLoad, ...] = ()
    skipped: tuple[PlannedSkip, ...] = Field(
        default=(), description="Discovered, and left out on purpose: shards, pulls and these are all tests."
    )
    jobs: tuple[PlannedJob, ...] = Field(default=(), description="How each job was split, and why so.")
    expected: CurvePoint | None = Field(default=None, description="What this plan is expected to take.")
    curve: tuple[CurvePoint, ...] = Field(
        default=(), description="Of a plan without a run: what other numbers of shards would take."
    )
    chosen: CurvePoint | None = Field(default=None, description="Of the curve: what reaches the goal.")
    goal_missed: str | None = Field(default=None, description="Why no number of shards reaches the goal.")
    executor: str | None = None
    inputs_digest: str | None = Field(
        default=None, description="Of all that the plan was made from: suite, tests, durations, quarantine."
    )


class DurationSummary(WireModel):
    """How long the tests took that ran, in seconds."""

    test: str | None = Field(default=None, description="The test job; None: all of the run.")
    p95: float
    max: float


class NotRunStage(WireModel):
    """A stage that was not started. `tests` is None where a framework cannot tell how many there are."""

    name: str
    tests: int | None = None


class ResultsIndex(WireModel):
    """`results/index.json`: folded cases lie in pages of `page_size`, sorted by status (worst first), then id."""

    page_size: int
    total: int
    ranges: dict[CaseStatus, tuple[int, int]] = Field(description="Half-open row ranges by status.")
    faults: tuple[str, ...] = Field(
        default=(), description="Unreadable, missing or doubled records, as sentences."
    )
    muted: int = Field(default=0, description="Of the failed cases, those in quarantine.")
    not_run: tuple[NotRunStage, ...] = Field(
        default=(), description="Stages that were not started because of what happened before them."
    )
    left_out: tuple[str, ...] = Field(
        default=(), description="Stages that their own conditions left out, as sentences."
    )
    open_pulls: tuple[str, ...] = Field(
        default=(), description="Work lists with tests that nobody has a record of."
    )
    durations: tuple[DurationSummary, ...] = Field(
        default=(), description="Over the whole run and for each test job: what budgets are judged by."
    )
    load: tuple[LoadSummary, ...] = Field(default=(), description="Merged results of load jobs.")
