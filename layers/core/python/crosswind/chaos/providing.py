"""The one port of fault providers. Every implementation passes tests/contract/test_providers.py.

A provider never decides whether something may be injected; it says what would be hit, does it, and tells the truth
about what is there. Each method has a time limit of its own, retries with jitter inside it, and raises only
DependencyError or ThrottledError (nothing is known), InvalidInputError (it refuses the fault for good) or
ForbiddenError (it may not).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from crosswind.chaos.model import Injection, Target
from crosswind.contracts.chaos.definitions import ActionView, Permission
from crosswind.contracts.chaos.lifecycle import FaultState
from crosswind.contracts.chaos.spec import ProviderName, TargetSelector
from crosswind.contracts.suites import Scalar


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """What a spec asks for, in one step."""

    run_id: str
    step: int
    fault: str
    action: str
    selector: TargetSelector
    parameters: Mapping[str, Scalar]
    percent: float  # of the step, 0 < percent <= 100
    duration_seconds: float
    environment: str
    team: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a request would hit and how it would be undone. Made without changing anything."""

    candidates: int
    targets: tuple[Target, ...]  # after the selector's pick and the step's percent
    compensation: Mapping[
        str, Any
    ]  # JSON values: all that `stop` and `verify_removed` need, even if `inject` never answers
    permissions: tuple[Permission, ...] = ()
    undo: tuple[str, ...] = ()  # the compensation as sentences
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # not empty: inject would be refused
    cost_dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultStatus:
    """What the provider itself says of an injection."""

    state: FaultState  # ACTIVE, REMOVED, REFUSED, INJECTING or UNKNOWN
    detail: str = ""
    handle: Mapping[str, Any] = field(default_factory=dict)
    stopped_by: str | None = None  # such as an alarm that the provider watches
    failed: bool = False  # it is over, and its provider says that it was not done to its end


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do."""

    provider: ProviderName
    actions: tuple[ActionView, ...]
    own_time_limit: bool  # it ends a fault after its duration although nobody asks it to

    def stays(self, action: str) -> bool:
        """Whether a fault stays until its time is over or it is stopped; others are done at once and only waited for."""
        return all(each.reversible for each in self.actions if each.action == action)


class Provider(Protocol):
    """Injects and undoes faults of one kind."""

    def capabilities(self) -> Capabilities:
        """Without asking anybody."""
        ...

    def check(self, request: FaultRequest) -> tuple[str, ...]:
        """Why the request can never be right: unknown action, parameters, kinds, a selector of everything. Pure, without asking anybody."""
        ...

    def preview(self, request: FaultRequest) -> Preview:
        """Resolve targets, prove permissions, and say how it would be undone. Changes nothing."""
        ...

    def inject(self, injection: Injection) -> FaultStatus:
        """Inject. Idempotent: the same injection again answers with the one that is there."""
        ...

    def status(self, injection: Injection) -> FaultStatus:
        """Ask. Works from the stored injection alone, also where `inject` never answered."""
        ...

    def stop(self, injection: Injection) -> None:
        """Undo. Idempotent; no error where nothing is there."""
        ...

    def verify_removed(self, injection: Injection) -> FaultStatus:
        """Ask whether nothing of it is left: REMOVED with the evidence, ACTIVE with what is left, or UNKNOWN."""
        ...


class Providers(Protocol):
    """Those that this deployment has."""

    def get(self, name: ProviderName) -> Provider:
        """Raises InvalidInputError for one that is not built or not configured here."""
        ...

    def available(self) -> tuple[ProviderName, ...]:
        """Their names."""
        ...
