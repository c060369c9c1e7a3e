"""Frozen values of the chaos area."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from crosswind.contracts.chaos.gate import GateDecision
from crosswind.contracts.chaos.lifecycle import (
    AbortCause,
    ExperimentVerdict,
    FaultState,
    RevisionState,
    RunState,
)
from crosswind.contracts.chaos.runs import TimelineKind, Timings
from crosswind.contracts.chaos.spec import ExperimentSpec, ProviderName
from crosswind.contracts.suites import Scalar

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Target:
    """One resolved target. (provider, id) is its identity for holds and overlaps."""

    provider: ProviderName
    kind: str
    id: str
    name: str
    namespace: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)  # JSON values; what the provider needs again


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's yes to one exact content: spec and resolved targets."""

    by: str
    at: datetime
    expires_at: datetime
    digest: str
    target_ids: tuple[str, ...]  # "<provider>:<id>", sorted
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One content of a definition. Changed only through crosswind.chaos.reviewing."""

    number: int  # 1-based
    state: RevisionState
    spec: ExperimentSpec
    spec_digest: str
    edited_by: tuple[
        str, ...
    ]  # everybody who wrote this content since the last approved revision: none of them may approve it
    updated_at: datetime
    submitted_by: str | None = None
    submitted_at: datetime | None = None
    approvals: tuple[Approval, ...] = ()
    changes_requested: str | None = None
    changes_requested_by: str | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """A definition: its newest revision and the newest approved one. (team, name) identifies it."""

    team: str
    name: str
    version: int  # of the stored item: optimistic writes compare it; 0 when it is new
    created_by: str
    created_at: datetime
    revision: Revision
    labels: Mapping[str, str] = field(default_factory=dict)
    next_start: datetime | None = None  # of its schedule
    paused: bool = False  # does not start by itself
    start_parameters: Mapping[str, Scalar] = field(default_factory=dict)  # of starts by themselves


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault in one step, with how it is undone. Stored before its provider is asked for anything.

    (run_id, step, fault) identifies it, and is what a provider marks with; asking again with the same identity makes no
    second fault.
    """

    run_id: str
    step: int  # 1-based
    fault: str
    order: int  # in which it is injected; undone in the reverse order
    provider: ProviderName
    action: str
    targets: tuple[Target, ...]
    percent: float
    duration_seconds: float
    parameters: Mapping[str, Scalar]
    compensation: Mapping[str, Any]  # JSON values, by the provider's preview: all that it takes to undo
    environment: str
    team: str
    state: FaultState = FaultState.PLANNED
    handle: Mapping[str, Any] = field(default_factory=dict)  # JSON values, by the provider's answer
    starts_after_seconds: float = 0.0  # from the step's begin, for faults with `after`
    asked_at: datetime | None = None
    injected_at: datetime | None = None
    removed_at: datetime | None = None
    detail: str | None = None
    version: int = 0

    @property
    def marker(self) -> str:
        """What the provider's own objects carry, so that they are found again: `chaos-<run>-<step>-<fault>`."""
        return f"chaos-{self.run_id}-{self.step}-{self.fault}"


@dataclass(frozen=True, slots=True)
class Abort:
    """Why and by whom a run is aborted; recorded before anything is stopped."""

    cause: AbortCause
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ExperimentRun:
    """A run of an approved revision. Changed only through crosswind.chaos.lifecycle."""

    run_id: str
    team: str
    experiment: str
    revision: int
    environment: str
    service: str | None
    state: RunState
    version: int
    created_at: datetime
    requested_by: str
    spec: ExperimentSpec  # with its parameters put in
    spec_digest: str
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    attempt: int = 1  # of the preflight check: one more each time it was blocked; names the execution
    step: int = 0  # the step that is in, 1-based; 0 before
    steps: int = 1
    started_at: datetime | None = None  # preflight began
    finished_at: datetime | None = None
    deadline: datetime | None = (
        None  # whatever is injected is undone by then, by the reaper if by nobody else
    )
    moved_at: datetime | None = None
    blocked_until: datetime | None = None
    gate_checked_at: datetime | None = None
    watched_at: datetime | None = None
    recovery_attempts: int = 0
    trigger: str | None = None
    parent_run: str | None = None
    abort: Abort | None = None
    decision: GateDecision | None = None
    verdict: ExperimentVerdict | None = None
    reason: str | None = None
    evidence: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    undone_at: datetime | None = None  # when the last removal was proven
    step_began_at: datetime | None = None  # of the step that is in
    step_until: datetime | None = None  # when it is over; None while its faults are being injected
    gate_fresh_until: datetime | None = None  # the gate's last answer counts until then


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One line of a run's timeline. (at, number) orders; number is unique within the run."""

    at: datetime
    kind: TimelineKind
    actor: str
    text: str
    state: RunState | None = None
    fault: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A target that an unfinished run has, or that a recovery could not prove clean."""

    target_id: str  # "<provider>:<id>"
    run_id: str
    team: str
    unverified: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """A fact that somebody told."""

    id: str
    team: str
    environment: str
    title: str
    open: bool
    told_by: str
    told_at: datetime
    service: str | None = None


@dataclass(frozen=True, slots=True)
class DeploymentFact:
    """A deployment that somebody told, for the gate."""

    team: str
    service: str
    environment: str
    version: str
    told_by: str
    at: datetime
    id: str = ""  # of the event that told it; unique


@dataclass(frozen=True, slots=True)
class Halt:
    """The halt switch when it is on."""

    reason: str
    by: str
    at: datetime
    safety_lever: str = "not-asked"
