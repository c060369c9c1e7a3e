"""Definitions, their revisions, reviews and previews, as the API shows them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.gate import GateDecision
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.contracts.chaos.runs import ExperimentRunSummary, Reason, TargetView
from crosswind.contracts.chaos.spec import ExperimentSpec, ProviderName, Risk
from crosswind.contracts.suites import Scalar

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class ApprovalView(WireModel):
    """Somebody's yes to one exact content."""

    by: str
    at: str
    expires_at: str
    digest: str = Field(description="Of the spec and of the targets that were resolved when it was given.")
    targets: int
    counts: bool
    why_not: str | None = None


class ReviewView(WireModel):
    """Where a revision stands."""

    submitted_by: str | None = None
    submitted_at: str | None = None
    approvals: tuple[ApprovalView, ...] = ()
    needed: int
    changes_requested: str | None = None
    changes_requested_by: str | None = None


class ExperimentView(WireModel):
    """GET /api/v1/experiments/{id}."""

    name: str
    team: str
    revision: int
    state: RevisionState
    digest: Digest
    created_by: str
    updated_by: str
    updated_at: str
    labels: dict[str, str] = Field(default={})
    actions: tuple[str, ...] = Field(default=(), description="The moves that are legal now.")
    review: ReviewView
    spec: ExperimentSpec
    next_start: str | None = None
    paused: bool = False
    runs: tuple[ExperimentRunSummary, ...] = Field(default=(), description="The newest ten.")


class PutExperimentAnswer(WireModel):
    """POST and PUT /api/v1/experiments."""

    created: bool
    experiment: ExperimentView


class ExperimentSummary(WireModel):
    """One row."""

    name: str
    team: str
    revision: int
    state: RevisionState
    environment: str
    service: str | None = None
    risk: Risk
    title: str
    updated_at: str
    last_run: ExperimentRunSummary | None = None


class ExperimentPage(WireModel):
    """By name."""

    items: tuple[ExperimentSummary, ...]
    next_cursor: str | None = None


class ReviewRequest(WireModel):
    """POST …/approve and …/request-changes. `digest` proves which content was looked at."""

    digest: Digest | None = Field(default=None, description="Needed to approve: that of GET or preview.")
    comment: Annotated[str, StringConstraints(max_length=1000)] | None = None
    reason: Reason | None = Field(default=None, description="Needed to request changes.")


class Permission(WireModel):
    """Whether the provider lets us do what a fault needs, as it was proven just now."""

    name: str
    allowed: bool
    detail: str | None = Field(default=None, max_length=500)


class FaultPreview(WireModel):
    """What one fault would hit in one step."""

    step: int
    fault: str
    provider: ProviderName
    action: str
    percent: float
    candidates: int
    targets: tuple[TargetView, ...] = Field(description="At most 100 are shown.")
    target_count: int
    permissions: tuple[Permission, ...]
    compensation: tuple[str, ...] = Field(description="How it would be undone, as sentences.")
    warnings: tuple[str, ...] = Field(
        default=(), description="Why it cannot test what the hypothesis claims, and the like."
    )
    problems: tuple[str, ...] = Field(default=(), description="Why it would be refused.")


class ExperimentPreview(WireModel):
    """POST …/preview: what would happen. Nothing is injected."""

    experiment: str
    revision: int
    digest: Digest = Field(
        description="Of the spec and of the targets as they resolve now: what an approval binds to."
    )
    ready: bool
    faults: tuple[FaultPreview, ...]
    gate: GateDecision
    cost_dollars: float
    cost: tuple[str, ...] = ()
    longest_seconds: float


class ParameterView(WireModel):
    """A parameter of an action or a template."""

    name: str
    type: str
    required: bool = False
    default: Scalar | None = None
    unit: str | None = None
    description: str | None = None


class ActionView(WireModel):
    """What a provider can do."""

    provider: ProviderName
    action: str
    title: str
    kinds: tuple[str, ...]
    parameters: tuple[ParameterView, ...]
    reversible: bool
    dosed: bool = Field(description="Whether one target can be hit by a share.")


class TemplateView(WireModel):
    """GET /api/v1/experiment-templates."""

    name: str
    title: str
    provider: ProviderName
    description: str
    parameters: tuple[ParameterView, ...]
    document: str | None = Field(
        default=None, description="The experiment as YAML, where one template is asked for."
    )


class TemplateList(WireModel):
    """Templates, and the actions that they are made of."""

    items: tuple[TemplateView, ...]
    actions: tuple[ActionView, ...] = ()


class ValidateExperimentAnswer(WireModel):
    """POST /api/v1/experiment-validations."""

    valid: bool
    digest: Digest
