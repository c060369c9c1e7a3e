"""The safety gate: checks with their evidence, decisions, the environment's policy, and the facts that CI tells."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.spec import Label, Namespaces, ProviderName, Risk
from crosswind.contracts.durations import Duration
from crosswind.contracts.suites import Name, Team

POLICY_KIND = "ChaosPolicy"


class CheckName(StrEnum):
    """What the gate looks at."""

    HALT = "halt"
    INCIDENTS = "incidents"
    ON_CALL = "on-call"
    DEPLOYMENTS = "deployments"
    SLO = "slo"
    APPROVALS = "approvals"
    CALENDAR = "calendar"  # freeze windows and business hours
    OVERLAP = "overlap"
    ENVIRONMENT = "environment"
    TARGETS = "targets"  # the resolved targets are those that were approved, within the blast radius


class CheckStatus(StrEnum):
    """Unknown is never treated as pass."""

    PASS = "pass"  # noqa: S105  # a status, no password
    FAIL = "fail"
    UNKNOWN = "unknown"


class GateOutcome(StrEnum):
    """What the gate answers."""

    PROCEED = "proceed"
    POSTPONE = "postpone"
    ABORT = "abort"


class Moment(StrEnum):
    """Where in a run the gate was asked."""

    PREVIEW = "preview"
    PREFLIGHT = "preflight"
    STEP = "step"
    RUNNING = "running"


class GateCheck(WireModel):
    """One check: what was found, when, where, and how long it may be relied on."""

    name: CheckName
    status: CheckStatus
    reason: str = Field(max_length=1000)
    source: str = Field(max_length=200, description="Such as `pagerduty`, `cloudwatch`, `crosswind`.")
    observed_at: str
    ttl_seconds: int = Field(ge=0, description="After so long the finding counts as unknown.")
    evidence: str | None = Field(
        default=None, max_length=4000, description="What the source said, cut and without secrets."
    )
    until: str | None = Field(default=None, description="When waiting may help: no earlier than this.")
    fatal: bool = Field(default=False, description="Waiting does not help: abort instead of postpone.")


class GateDecision(WireModel):
    """A stored decision record."""

    outcome: GateOutcome
    until: str | None = Field(default=None, description="With postpone: ask again then.")
    reason: str = Field(max_length=2000)
    moment: Moment
    step: int = 0
    decided_at: str
    policy_version: str
    checks: tuple[GateCheck, ...]


class PagerDutySource(WireModel):
    """PagerDuty's REST API v2."""

    secret: Name = Field(description="The name of the deployment's secret that holds the API key.")
    region: Literal["us", "eu"] = "us"
    services: tuple[Label, ...] = Field(default=(), max_length=50)
    escalation_policies: tuple[Label, ...] = Field(default=(), max_length=20)


class SloSource(WireModel):
    """One objective: a PromQL query or a CloudWatch alarm, and what is healthy."""

    name: Name
    query: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = None
    alarm: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    at_least: float | None = None
    at_most: float | None = None


class Freeze(WireModel):
    """A time in which nothing is broken."""

    name: Label
    start: str
    end: str


class BusinessHours(WireModel):
    """When people are there to help."""

    timezone: str = Field(default="UTC", min_length=1, max_length=64)
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
    )
    start: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "09:00"
    end: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "17:00"


class PolicySpec(WireModel):
    """What has to be true before something is broken in an environment. What is not configured is not checked, and says so."""

    providers: tuple[ProviderName, ...] = Field(min_length=1, description="Who may inject here.")
    namespaces: Namespaces = Namespaces()
    namespaces_by_team: Annotated[dict[Team, tuple[Name, ...]], Field(max_length=200)] = Field(
        default={}, description="A team's experiments may hit only these, where it is listed."
    )
    hosts: tuple[Label, ...] = Field(
        default=(),
        max_length=100,
        description="Hosts that probes may ask, with `*`; loopback and private addresses only where they are named.",
    )
    quorum: dict[Risk, int] = Field(default={Risk.LOW: 1, Risk.MEDIUM: 1, Risk.HIGH: 2})
    incidents_required: bool = Field(
        default=True, description="No source of incidents configured: unknown, so nothing runs."
    )
    on_call_required: bool = True
    deployment_quiet: Duration = Field(default="2h", description="No deployment in the last so long.")
    pagerduty: PagerDutySource | None = None
    incident_alarms: tuple[Label, ...] = Field(
        default=(), max_length=50, description="CloudWatch alarms that mean an incident."
    )
    codedeploy_applications: tuple[Label, ...] = Field(default=(), max_length=20)
    prometheus: str | None = Field(default=None, max_length=2048)
    slos: tuple[SloSource, ...] = Field(default=(), max_length=20)
    freezes: tuple[Freeze, ...] = Field(default=(), max_length=100)
    business_hours: BusinessHours | None = None
    recheck: Duration = Field(
        default="30s", description="How often the gate is asked while something is broken."
    )
    patience: Duration = Field(
        default="24h", description="How long a blocked run waits for the gate before it is aborted."
    )


class PolicyMetadata(WireModel):
    """The environment."""

    name: Name


class ChaosPolicy(WireModel):
    """PUT /api/v1/chaos/policies/{environment}: `kind: ChaosPolicy`; for admins."""

    api_version: Literal["crosswind.dev/v1"]
    kind: Literal["ChaosPolicy"]
    metadata: PolicyMetadata
    spec: PolicySpec


class PolicyView(WireModel):
    """GET /api/v1/chaos/policies/{environment}."""

    environment: str
    version: str
    updated_at: str | None = None
    updated_by: str | None = None
    spec: PolicySpec


class PolicyList(WireModel):
    """GET /api/v1/chaos/policies."""

    items: tuple[PolicyView, ...]


class IncidentState(StrEnum):
    """Whether an incident goes on."""

    OPEN = "open"
    RESOLVED = "resolved"


class RecordIncidentRequest(WireModel):
    """POST /api/v1/incidents: an incident began or ended; the same id again changes its state."""

    team: Team | None = Field(default=None, description="Needed when you are in more than one.")
    id: Label
    environment: Label
    service: Label | None = None
    title: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    state: IncidentState = IncidentState.OPEN


class IncidentAccepted(WireModel):
    """201: the fact is stored; the gate knows it from now on."""

    id: str
    state: IncidentState


class HaltRequest(WireModel):
    """POST /api/v1/chaos/halt: stop everything, and let nothing start until it is released."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=500)]
    safety_lever: bool = Field(
        default=False,
        description="Also engage the FIS safety lever: it stops every experiment of the account and region.",
    )


class ReleaseRequest(WireModel):
    """POST /api/v1/chaos/release."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=500)]


class HaltView(WireModel):
    """The halt switch."""

    halted: bool
    reason: str | None = None
    by: str | None = None
    at: str | None = None
    safety_lever: Literal["not-asked", "engaged", "disengaged", "failed", "unavailable"] = "not-asked"
    stopping: tuple[str, ...] = Field(default=(), description="Runs that were told to stop.")
