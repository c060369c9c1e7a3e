"""Plans on the wire: what a run is expected to take and to cost, before anything is spent."""

from enum import StrEnum

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.durations import Duration
from crosswind.contracts.requests import SubmitRunRequest


class CreatePlanRequest(SubmitRunRequest):
    """POST /api/v1/plans: a suite as for a run, and what the plan should aim at."""

    target: Duration | None = Field(
        default=None, description="Pick the fewest shards that finish in this time, nine times in ten."
    )
    budget: float | None = Field(
        default=None, gt=0, le=1_000_000, description="Dollars: pick the shards that finish soonest for them."
    )


class PlanGoal(WireModel):
    """What a plan aims at. Neither: what the suite says."""

    target_seconds: int | None = None
    budget_dollars: float | None = None


class PlanState(StrEnum):
    """Where a plan is."""

    ACCEPTED = "accepted"
    PREPARING = "preparing"  # the tests are being discovered
    READY = "ready"
    FAILED = "failed"  # there is nothing to plan from; `reason` says why


class PlanAccepted(WireModel):
    """202: the plan is being made; read it at GET /api/v1/plans/{planId}."""

    plan_id: str
    state: PlanState
    repeated: bool = Field(
        default=False, description="The Idempotency-Key was seen before: this is that plan."
    )


class CurvePoint(WireModel):
    """What to expect of so many shards at once."""

    shards: int
    p50_seconds: float = Field(description="From the first launch to the last result, as likely as not.")
    p90_seconds: float = Field(description="The same, nine times in ten.")
    dollars: float = Field(description="Compute and control plane together.")
    compute_dollars: float
    control_dollars: float
    binds: str = Field(description="What keeps it from ending sooner.")


class PlannedSkip(WireModel):
    """A discovered test that is not run, because somebody quarantined it."""

    test: str
    variant: str = ""
    test_id: str
    reason: str


class PlannedJob(WireModel):
    """How the tests of one job reach its shards, and why so."""

    stage: int
    test: str
    variant: str = ""
    method: str = Field(description="pull, by-duration, by-count or whole.")
    reason: str | None = Field(
        default=None, description="Why not a better method: the fallback is never silent."
    )
    shards: int
    shards_reason: str = Field(description="Where the number of shards comes from.")
    tests: int | None = Field(default=None, description="Discovered; None where the framework cannot tell.")
    units: int | None = Field(default=None, description="Files, classes or tests that are kept together.")
    known_durations: int = Field(default=0, description="Tests with a measured duration.")
    assumed_seconds: float = Field(default=1.0, description="What each of the others is taken to last.")
    estimate_seconds: float = Field(default=0.0, description="Of all its tests, one after another.")
    longest_seconds: float = Field(default=0.0, description="Of its longest unit, which no shard can divide.")


class PlanQueue(WireModel):
    """When the run would begin if it were submitted now."""

    position: int | None = Field(
        default=None,
        description="Its place among the runs that wait for room, from 1; None: limits of its own would hold it.",
    )
    expected_start: str | None = Field(
        default=None, description="As of the moment of asking; None: not within what can be foreseen."
    )
    reason: str = Field(description="What its first shard would wait for; `admitted`: for nothing.")
    explanation: str


class PlanView(WireModel):
    """GET /api/v1/plans/{id}."""

    plan_id: str
    team: str
    suite: str
    state: PlanState
    created_at: str
    goal: PlanGoal = PlanGoal()
    reason: str | None = Field(default=None, description="Why it failed, or why the goal cannot be reached.")
    errors: tuple[str, ...] = ()
    tests: int | None = None
    known_durations: int = 0
    jobs: tuple[PlannedJob, ...] = ()
    skipped: tuple[PlannedSkip, ...] = ()
    executor: str | None = Field(default=None, description="Whose start-up is counted: pool or fargate.")
    prices: str | None = Field(default=None, description="Which prices the dollars are.")
    curve: tuple[CurvePoint, ...] = ()
    chosen: CurvePoint | None = Field(
        default=None, description="For the goal; without one, for what the suite says."
    )
    queue: PlanQueue | None = Field(default=None, description="None: the queue could not be read.")
