"""Schedules, triggers and deployments: the documents that people write, the API's answers, the workers' payloads."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.durations import Duration
from crosswind.contracts.events import DomainEvent
from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.suites import Metadata, Name, Priority, Scalar, Team

MAX_CRON_CHARACTERS = 256
MAX_SCHEDULES = 200  # of one team
MAX_TRIGGERS = 100  # of one team
NEXT_RUNS = 5

Label = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Moment = Annotated[str, StringConstraints(min_length=10, max_length=40)]
Parameters = Annotated[dict[str, Scalar], Field(max_length=50)]


class Overlap(StrEnum):
    """What happens when a run is due and the schedule's last run has not finished."""

    ALLOW = "allow"  # both run
    SKIP = "skip"  # the new one is left out
    REPLACE = "replace"  # the old one is cancelled


class MissedPolicy(StrEnum):
    """What happens to runs whose time passed while nothing could start them."""

    SKIP = "skip"
    RUN_ONCE = "run-once"  # the last of them runs, if its time is not longer ago than the grace


class MissedSpec(WireModel):
    """Runs that were not started within five minutes of their time (and jitter)."""

    policy: MissedPolicy = MissedPolicy.SKIP
    grace: Duration = Field(default="1h", description="With run-once: no run starts later than this.")


class ScheduleSpec(WireModel):
    """When a stored suite runs, and how."""

    suite: Name = Field(description="A stored suite of the schedule's team.")
    cron: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_CRON_CHARACTERS,
        description="Five fields, or the six of EventBridge. Exactly one of cron and at is given.",
    )
    at: Moment | None = Field(
        default=None, description="One run at this moment: ISO 8601, in `timezone` unless it has an offset."
    )
    timezone: str = Field(default="UTC", min_length=1, max_length=64, description="An IANA time zone.")
    start: Moment | None = Field(default=None, description="No run before this moment.")
    expiry: Moment | None = Field(default=None, description="No run at or after this moment.")
    jitter: Duration | None = Field(
        default=None,
        description="Each run starts at a random moment within this time: whole minutes, 24h at most.",
    )
    overlap: Overlap = Overlap.SKIP
    missed: MissedSpec = MissedSpec()
    parameters: Parameters = Field(default={}, description="Of the suite.")
    priority: Priority | None = Field(default=None, description="Instead of the suite's own.")


class Schedule(WireModel):
    """PUT /api/v1/schedules/{name}: `kind: Schedule`."""

    api_version: Literal["crosswind.dev/v1"]
    kind: Literal["Schedule"]
    metadata: Metadata
    spec: ScheduleSpec


class FiringOutcome(StrEnum):
    """What became of one due run."""

    FIRED = "fired"
    SKIPPED = "skipped"  # the last run had not finished
    MISSED = "missed"  # its time had passed too long ago
    FAILED = "failed"  # the suite could not be submitted


class FiringView(WireModel):
    """One due run and what became of it."""

    due: str
    at: str
    outcome: FiringOutcome
    reason: str | None = None
    execution_id: str | None = None


class ScheduleState(StrEnum):
    """Whether a schedule starts runs."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"  # it expired, or its one moment is over


class RunTime(WireModel):
    """A moment at which a run is due."""

    at: str = Field(description="In UTC.")
    local: str = Field(description="In the schedule's time zone, with its offset.")


class ScheduleView(WireModel):
    """GET /api/v1/schedules/{name}."""

    name: str
    team: str
    state: ScheduleState
    owner: str = Field(description="Who stored it last; its runs tell this name.")
    updated_at: str
    paused_by: str | None = None
    spec: ScheduleSpec
    next: tuple[RunTime, ...] = Field(default=(), description="The next five runs.")
    firings: tuple[FiringView, ...] = Field(default=(), description="The last ten, newest first.")


class PutScheduleAnswer(WireModel):
    """PUT /api/v1/schedules/{name}."""

    created: bool
    schedule: ScheduleView


class ScheduleSummary(WireModel):
    """One row of GET /api/v1/schedules."""

    name: str
    team: str
    suite: str
    state: ScheduleState
    when: str = Field(description="The cron expression, or the one moment.")
    timezone: str
    owner: str
    next: str | None = None
    last: FiringView | None = None


class SchedulePage(WireModel):
    """A page of schedules, by name."""

    items: tuple[ScheduleSummary, ...]
    next_cursor: str | None = None


class PreviewAnswer(WireModel):
    """POST /api/v1/schedule-previews: the document is valid, and runs would be due then."""

    next: tuple[RunTime, ...]


class EventType(StrEnum):
    """Domain events that a trigger can wait for."""

    RUN_FINISHED = "runs.run.finished.v1"
    DEPLOYMENT_RECORDED = "platform.deployment.recorded.v1"


class TriggerEvent(WireModel):
    """Which events: the type, and fields that have to be equal. A field that is not given matches anything."""

    type: EventType
    suite: Name | None = Field(default=None, description="Of a finished run.")
    verdicts: tuple[VerdictKind, ...] = Field(default=(), max_length=10, description="Of a finished run.")
    service: Label | None = Field(default=None, description="Of a deployment.")
    environment: Label | None = Field(default=None, description="Of a deployment.")


class TriggerSpec(WireModel):
    """What starts which stored suite."""

    on: TriggerEvent
    suite: Name = Field(description="A stored suite of the trigger's team.")
    parameters: Parameters = Field(
        default={},
        description="Of the suite. `${{ event.FIELD }}` stands for a field of the event, such as `${{ event.version }}`.",
    )
    priority: Priority | None = Field(default=None, description="Instead of the suite's own.")
    paused: bool = False
    allow_repeat: bool = Field(
        default=False,
        description="Start the suite also where a run of it is among those that led to the event; a chain still ends after five.",
    )


class Trigger(WireModel):
    """PUT /api/v1/triggers/{name}: `kind: Trigger`."""

    api_version: Literal["crosswind.dev/v1"]
    kind: Literal["Trigger"]
    metadata: Metadata
    spec: TriggerSpec


class TriggerFiringView(WireModel):
    """The last event that a trigger matched and what became of it."""

    event_id: str
    at: str
    outcome: FiringOutcome
    reason: str | None = None
    execution_id: str | None = None


class TriggerView(WireModel):
    """GET /api/v1/triggers/{name}."""

    name: str
    team: str
    owner: str
    updated_at: str
    spec: TriggerSpec
    last: TriggerFiringView | None = None


class PutTriggerAnswer(WireModel):
    """PUT /api/v1/triggers/{name}."""

    created: bool
    trigger: TriggerView


class TriggerPage(WireModel):
    """A page of triggers, by name."""

    items: tuple[TriggerView, ...]
    next_cursor: str | None = None


class RecordDeploymentRequest(WireModel):
    """POST /api/v1/deployments: something was deployed."""

    team: Team | None = Field(default=None, description="Needed when you are in more than one.")
    service: Label
    environment: Label
    version: Label
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")] | None = None


class DeploymentAccepted(WireModel):
    """201: the deployment is recorded and its event is on its way."""

    event_id: str
    repeated: bool = Field(
        default=False, description="The Idempotency-Key was seen before: this is that deployment."
    )


class FireTask(WireModel):
    """Input of fire_schedules: one schedule from its alarm, or nothing from the rule of every minute, which means all overdue."""

    model_config = ConfigDict(extra="ignore")

    team: Team | None = None
    name: Name | None = None


class FireAnswer(WireModel):
    """Output of fire_schedules: how many due runs were dealt with, and how many schedules could not be looked at."""

    dealt_with: int
    faults: int


class BusMessage(WireModel):
    """A domain event as a rule of EventBridge hands it to a queue."""

    model_config = ConfigDict(extra="ignore")

    detail: DomainEvent
