"""Frozen values of schedules and triggers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.schedules import EventType, FiringOutcome, MissedPolicy, Overlap
from crosswind.contracts.suites import Priority, Scalar

KEPT_FIRINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When runs are due. Exactly one of `cron` and `at` is set; all moments are in UTC."""

    cron: str | None
    at: datetime | None
    timezone: str
    start: datetime | None = None
    expiry: datetime | None = None
    jitter: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Firing:
    """One due run and what became of it."""

    due: datetime
    at: datetime
    outcome: FiringOutcome
    reason: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A stored schedule. `due` is its next run that nobody has dealt with yet: the one truth about what is to be fired."""

    team: str
    name: str
    suite: str
    timing: Timing
    overlap: Overlap
    missed: MissedPolicy
    grace: timedelta
    owner: str
    updated_at: datetime
    version: int
    labels: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Scalar] = field(default_factory=dict)
    priority: Priority | None = None
    due: datetime | None = None  # None while it is paused and after its end
    paused_at: datetime | None = None
    paused_by: str | None = None
    last_run: str | None = None
    firings: tuple[Firing, ...] = ()  # newest first, at most KEPT_FIRINGS


@dataclass(frozen=True, slots=True)
class TriggerFiring:
    """The last event that a trigger matched, and what became of it."""

    event_id: str
    at: datetime
    outcome: FiringOutcome
    reason: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A stored trigger. Of the filters those that are empty match anything."""

    team: str
    name: str
    event: EventType
    suite: str
    owner: str
    updated_at: datetime
    of_suite: str | None = None
    of_verdicts: tuple[VerdictKind, ...] = ()
    of_service: str | None = None
    of_environment: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Scalar] = field(default_factory=dict)
    priority: Priority | None = None
    paused: bool = False
    allow_repeat: bool = False
    last: TriggerFiring | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What submits a run where no person does: kept in the run's record and told in its event.

    `chain` holds the suites whose runs led here, the oldest first, so that triggers cannot go round in circles.
    """

    cause: str
    chain: tuple[str, ...] = ()
