"""Runs of experiments as the API shows them: state, timeline, results, the report's document."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.gate import GateDecision
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, FaultState, RunState
from crosswind.contracts.chaos.monitoring import ProbeSummary, Sample
from crosswind.contracts.chaos.spec import ProviderName
from crosswind.contracts.suites import Scalar

ExperimentRunId = Annotated[str, StringConstraints(pattern=r"^exp-[0-9a-z]{26}$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class TargetView(WireModel):
    """One resolved target."""

    provider: ProviderName
    kind: str
    id: str = Field(description="Unique within the provider: what holds and overlaps go by.")
    name: str
    namespace: str | None = None


class FaultView(WireModel):
    """One fault in one step."""

    step: int
    name: str
    provider: ProviderName
    action: str
    percent: float
    state: FaultState
    targets: tuple[TargetView, ...]
    injected_at: str | None = None
    removed_at: str | None = None
    detail: str | None = Field(default=None, max_length=1000)


class AbortView(WireModel):
    """Why and by whom a run was aborted."""

    cause: AbortCause
    reason: str
    by: str
    at: str


class Timings(WireModel):
    """Seconds. What did not happen is missing."""

    to_detect: float | None = Field(
        default=None, description="From the first injection to the breaching sample."
    )
    to_abort: float | None = Field(
        default=None, description="From the breaching sample to the last fault's proven removal."
    )
    to_recover: float | None = Field(
        default=None, description="From the undoing to the steady state's return."
    )
    injected: float | None = Field(default=None, description="From the first injection to the last removal.")


class ExperimentRunView(WireModel):
    """GET /api/v1/experiments/{id}/runs/{runId}, and the answer to every move of a run."""

    run_id: str
    experiment: str
    team: str
    revision: int
    environment: str
    service: str | None = None
    state: RunState
    actions: tuple[str, ...] = Field(default=(), description="The moves that are legal now.")
    step: int = 0
    steps: int = 1
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    blocked_until: str | None = None
    requested_by: str
    trigger: str | None = None
    parent_run: str | None = Field(default=None, description="The run of a suite beside which it runs.")
    abort: AbortView | None = None
    verdict: ExperimentVerdict | None = None
    reason: str | None = None
    faults: tuple[FaultView, ...] = ()
    decision: GateDecision | None = Field(default=None, description="The gate's last answer.")
    timings: Timings = Timings()


class ExperimentRunSummary(WireModel):
    """One row of a listing."""

    run_id: str
    experiment: str
    team: str
    revision: int
    environment: str
    service: str | None = None
    state: RunState
    verdict: ExperimentVerdict | None = None
    reason: str | None = None
    created_at: str
    finished_at: str | None = None
    requested_by: str


class ExperimentRunPage(WireModel):
    """Newest first."""

    items: tuple[ExperimentRunSummary, ...]
    next_cursor: str | None = None


class TimelineKind(StrEnum):
    """What a line of the timeline is about."""

    MOVE = "move"
    DECISION = "decision"
    FAULT = "fault"
    PROBE = "probe"
    ANNOUNCEMENT = "announcement"
    NOTIFICATION = "notification"
    NOTE = "note"


class TimelineEntry(WireModel):
    """One line."""

    at: str
    number: int = Field(description="Orders entries of one moment.")
    kind: TimelineKind
    actor: str
    text: str = Field(max_length=1000)
    state: RunState | None = Field(default=None, description="Of a move: the state it led to.")
    fault: str | None = None


class TimelinePage(WireModel):
    """Oldest first."""

    items: tuple[TimelineEntry, ...]
    next_cursor: str | None = None


class ExperimentResults(WireModel):
    """GET …/results: the verdict with its evidence. Also the JSON report, with `samples` and `timeline` filled."""

    run: ExperimentRunView
    title: str
    hypothesis: tuple[ProbeSummary, ...] = ()
    guards: tuple[ProbeSummary, ...] = ()
    decisions: tuple[GateDecision, ...] = ()
    evidence: tuple[str, ...] = Field(default=(), description="Sentences that the verdict rests on.")
    parameters: dict[str, Scalar] = Field(default={})
    reports: dict[str, str] = Field(default={}, description="Links: html, json, junit, journal.")
    samples: tuple[Sample, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()


class StartRequest(WireModel):
    """POST …/start: start a run of the approved revision now."""

    parameters: Annotated[dict[str, Scalar], Field(max_length=50)] = Field(default={})


class ScheduleRequest(WireModel):
    """POST …/schedule: at one moment, or by the definition's own schedule; or `paused` to stop starting by itself."""

    at: Annotated[str, StringConstraints(min_length=10, max_length=40)] | None = None
    paused: bool = False
    parameters: Annotated[dict[str, Scalar], Field(max_length=50)] = Field(default={})


class AbortRequest(WireModel):
    """POST …/abort."""

    reason: Reason = "aborted by hand"
    run_id: ExperimentRunId | None = Field(
        default=None, description="Unless told, every run of it that goes on."
    )
