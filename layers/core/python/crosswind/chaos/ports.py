"""What the chaos area needs from outside, in its own words. Adapters implement these; bootstrap wires them.

Every method may raise ThrottledError or DependencyError after its own bounded retries.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crosswind.chaos.model import (
    DeploymentFact,
    Experiment,
    ExperimentRun,
    Halt,
    Hold,
    Incident,
    Injection,
    Revision,
    TimelineEvent,
)
from crosswind.contracts.chaos.gate import CheckName, GateCheck, GateDecision, PolicySpec
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.tasks import ExperimentInput
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.ids import IdempotencyKey
from crosswind.kernel.paging import Page

PLANNABLE = frozenset({RunState.SCHEDULED, RunState.PREFLIGHT_CHECK})
"""Where injections may be planned and targets taken."""


class ExperimentStore(Protocol):
    """Definitions with their revisions."""

    def find(self, team: str, name: str) -> Experiment | None:
        """Read consistently."""
        ...

    def save(self, experiment: Experiment, *, event: DomainEvent | None = None) -> Experiment:
        """Write if the stored version equals `experiment.version` (0: there is none), the event into the outbox with it.

        The newest revision is kept for good under its number. Returns it with version + 1. Raises WriteConflictError.
        """
        ...

    def revision(self, team: str, name: str, number: int) -> Revision:
        """Any revision that ever was. Raises NotFoundError."""
        ...

    def last_revision(self, team: str, name: str) -> int:
        """The highest number that a revision ever had, also of a definition that was deleted; 0 for none."""
        ...

    def approved(self, team: str, name: str) -> Revision | None:
        """The newest revision if it is approved; None where there is none, and from an edit to the next approval."""
        ...

    def delete(self, team: str, name: str, *, version: int) -> None:
        """Its revisions and runs stay readable by number and id. Raises WriteConflictError, NotFoundError."""
        ...

    def list_experiments(self, team: str, *, limit: int, cursor: str | None) -> Page[Experiment]:
        """By name."""
        ...

    def waiting_for(self, event_type: str) -> Iterator[Experiment]:
        """Definitions whose approved revision starts on events of this type; not those that are paused."""
        ...

    def due(self, *, until: datetime) -> Iterator[Experiment]:
        """Definitions whose `next_start` is not after `until`, the earliest first; not those that are paused."""
        ...


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list: those of one team, newest first."""

    team: str
    experiment: str | None = None
    service: str | None = None
    state: RunState | None = None


class ExperimentRunStore(Protocol):
    """Runs of experiments, what they injected, what happened, and which targets they hold."""

    def create(
        self,
        run: ExperimentRun,
        *,
        idempotency: IdempotencyKey | None,
        timeline: Sequence[TimelineEvent] = (),
        event: DomainEvent | None = None,
    ) -> tuple[ExperimentRun, bool]:
        """Store a new run (version 1). (run, True), or (the earlier one, False) for a repeated key.

        Raises ConflictError when the key was used for another request.
        """
        ...

    def created_with(self, idempotency: IdempotencyKey) -> ExperimentRun | None:
        """The run that this key made in the last 24 hours. Raises ConflictError when it was used for another request."""
        ...

    def get(self, run_id: str) -> ExperimentRun:
        """Read consistently. Raises NotFoundError."""
        ...

    def save(
        self, run: ExperimentRun, *, timeline: Sequence[TimelineEvent] = (), event: DomainEvent | None = None
    ) -> ExperimentRun:
        """Write if the stored version equals `run.version`, with its timeline lines and its domain event in one transaction.

        Returns it with version + 1. Raises WriteConflictError.
        """
        ...

    def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> Page[ExperimentRun]:
        """Newest first."""
        ...

    def unfinished(self) -> Iterator[ExperimentRun]:
        """Every run that is not Analyzed, from a sparse index (eventually consistent)."""
        ...

    def plan_injections(
        self, run: ExperimentRun, injections: Sequence[Injection], holds: Sequence[Hold]
    ) -> None:
        """Store every injection with its compensation and take hold of every target, all or nothing per target set, before anything is injected.

        Safe to repeat for the same run: what is still planned is planned anew, what was asked for stays. Raises
        ConflictError naming who holds a target, and WriteConflictError, also where the run is past its preflight check.
        """
        ...

    def injections(self, run_id: str) -> tuple[Injection, ...]:
        """By step and order, read consistently."""
        ...

    def save_injection(self, injection: Injection) -> Injection:
        """Write if the stored version equals `injection.version`. Raises WriteConflictError."""
        ...

    def holds(self, target_ids: Sequence[str]) -> tuple[Hold, ...]:
        """Who has these targets. A run that is analysed has none, whatever a Lambda of it wrote down too late."""
        ...

    def mark_unverified(self, run_id: str, target_ids: Sequence[str]) -> None:
        """Their recovery could not be proven: nobody else gets them."""
        ...

    def release(self, run_id: str, target_ids: Sequence[str]) -> None:
        """The run lets go of them. Idempotent; other runs' holds stay."""
        ...

    def add_to_timeline(self, run_id: str, events: Sequence[TimelineEvent]) -> None:
        """Append lines that go with no move."""
        ...

    def timeline(self, run_id: str, *, limit: int, cursor: str | None) -> Page[TimelineEvent]:
        """Oldest first."""
        ...

    def add_decision(self, run_id: str, decision: GateDecision) -> None:
        """Keep a decision record for good."""
        ...

    def decisions(self, run_id: str) -> tuple[GateDecision, ...]:
        """Oldest first."""
        ...

    def unsent_events(self) -> Iterator[DomainEvent]:
        """The outbox of this table, oldest first."""
        ...

    def mark_sent(self, event_id: str) -> None:
        """Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """An environment's policy. `version` is the digest of its content."""

    environment: str
    version: str
    spec: PolicySpec
    updated_at: datetime | None = None
    updated_by: str | None = None


class FactStore(Protocol):
    """What the gate knows by itself: policies, the halt switch, incidents and deployments that were told."""

    def policy(self, environment: str) -> StoredPolicy | None:
        """None where an admin never stored one."""
        ...

    def put_policy(self, policy: StoredPolicy) -> None: ...

    def policies(self) -> tuple[StoredPolicy, ...]: ...

    def halt(self) -> Halt | None:
        """Read consistently; None when the switch is off."""
        ...

    def set_halt(self, halt: Halt) -> None: ...

    def clear_halt(self) -> None: ...

    def put_incident(self, incident: Incident) -> None: ...

    def open_incidents(self, environment: str) -> tuple[Incident, ...]: ...

    def put_deployment(self, fact: DeploymentFact) -> None: ...

    def deployments_since(self, environment: str, since: datetime) -> tuple[DeploymentFact, ...]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """What the gate asks its sources: about which run, in which environment, for which time."""

    run_id: str | None
    team: str
    experiment: str
    environment: str
    service: str | None
    now: datetime
    window_end: datetime  # of the run, its recovery included
    policy: PolicySpec


class GateSource(Protocol):
    """One source of evidence. It answers within its own time limit; what it cannot find out is a check with status unknown."""

    @property
    def name(self) -> str:
        """The `source` of its checks."""
        ...

    @property
    def checks(self) -> tuple[CheckName, ...]: ...

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        """Nothing where the policy does not name it. An exception counts as unknown."""
        ...


class Engine(Protocol):
    """Executions of chaos/experiment."""

    def start(self, name: str, payload: ExperimentInput) -> None:
        """Start; starting the same name again is no error."""
        ...


class DeadMan(Protocol):
    """The one-shot schedule behind an injection, and the one that asks a blocked run's gate again."""

    def arm(self, run_id: str, *, at: datetime) -> None:
        """Replace the run's schedule. It is late by at most a minute."""
        ...

    def disarm(self, run_id: str) -> None:
        """No error where there is none."""
        ...

    def wake(self, run_id: str, *, at: datetime) -> None:
        """Start the blocked run again at this moment."""
        ...


class ChaosQueues(Protocol):
    """Messages between the workers."""

    def watch(self, run_id: str, *, delay_seconds: int) -> None:
        """Look after the run again then."""
        ...


@dataclass(frozen=True, slots=True)
class MonitorState:
    """What the one protocol knows of a run's monitor."""

    leased: bool
    done: bool
    last_beat_expires_at: datetime | None
    announcements: tuple[str, ...]
    ended_as: str | None = None
    moved_at: datetime | None = None  # the last announcement's time, or the end's
    reason: str | None = None  # with the end: why
    epoch: int = 0  # of its lease: names the MonitorResult


class Monitors(Protocol):
    """The monitor as leased work of the shard protocol (ADR 0002); bootstrap puts the runs area's use cases behind it."""

    def state(self, run_id: str) -> MonitorState | None:
        """None before it was enqueued."""
        ...

    def watch(self, run_id: str) -> MonitorState | None:
        """Let time pass over it (a lapsed lease ends it), then its state."""
        ...

    def cancel(self, run_id: str, *, reason: str) -> None:
        """End it as cancelled and answer its token. No error when it is over or was never there."""
        ...


class Notifier(Protocol):
    """Tells people."""

    def notify(
        self, run: ExperimentRun, occasion: str, text: str, *, webhooks: Sequence[str]
    ) -> tuple[str, ...]:
        """Send to the operators' topic and to the team's webhooks (names of secrets). Returns what could not be told; never raises."""
        ...


class SafetyLever(Protocol):
    """The FIS safety lever of the account and region."""

    def engage(self, reason: str) -> str:
        """The lever's state afterwards, or `failed`/`unavailable`. Never raises."""
        ...

    def disengage(self, reason: str) -> str: ...


class StoredObject(Protocol):
    """An object of a listing."""

    @property
    def key(self) -> str: ...


class Objects(Protocol):
    """The artifacts bucket, as far as the chaos area writes and reads it."""

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Write a small object."""
        ...

    def get(self, key: str, *, limit_bytes: int) -> bytes:
        """Read a whole object. Raises NotFoundError; TooLargeError when it is larger than `limit_bytes`."""
        ...

    def list_objects(self, prefix: str, *, limit: int, after: str | None = None) -> Sequence[StoredObject]:
        """Objects under a prefix in key order, those behind `after`."""
        ...


class EventBus(Protocol):
    """The domain event bus."""

    def publish(self, events: Iterable[DomainEvent]) -> None:
        """Publish; the receiver may see an event more than once."""
        ...
