"""An approved experiment, a policy, a question, and stores to ask, for the tests of the gate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crosswind.chaos.model import Approval, ExperimentRun, Hold, Revision, Target, TimelineEvent
from crosswind.chaos.policies import default_policy
from crosswind.chaos.ports import Question
from crosswind.chaos.radius import Resolved, target_ids
from crosswind.chaos.reviewing import content_digest, counting
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.gate import GateDecision, PolicySpec
from crosswind.contracts.chaos.lifecycle import RevisionState, RunState
from crosswind.contracts.chaos.spec import ExperimentSpec, ProviderName
from tests.fakes import START

DIGEST = "sha256:" + "a" * 64
RUN_ID = "exp-" + "0" * 25 + "1"
WEEK = timedelta(days=7)
LOCAL = default_policy("local")


def make_spec(**changes: Any) -> ExperimentSpec:
    """Orders answer although payments are slow."""
    document: dict[str, Any] = {
        "environment": "staging",
        "service": "orders",
        "hypothesis": {
            "title": "orders answer although payments are slow",
            "probes": [{"name": "orders", "type": "http", "url": "http://127.0.0.1:9001/health"}],
        },
        "faults": [
            {
                "name": "slow",
                "provider": "toxiproxy",
                "action": "latency",
                "target": {"kind": "proxy", "names": ["payments"]},
                "parameters": {"latency": 800},
                "duration": "30s",
            }
        ],
        "blastRadius": {"maxTargets": 1},
        "timeout": "10m",
        **changes,
    }
    return ExperimentSpec.model_validate(document)


def make_target(name: str = "payments", **changes: Any) -> Target:
    """A proxy."""
    return Target(provider=ProviderName.TOXIPROXY, kind="proxy", id=name, name=name, **changes)


def resolved(*targets: Target) -> tuple[Resolved, ...]:
    """What the one fault hits in the one step."""
    hit = targets or (make_target(),)
    return (Resolved(step=1, fault="slow", candidates=len(hit), targets=hit),)


def make_approval(by: str = "grace", **changes: Any) -> Approval:
    """A yes to what `resolved` resolves."""
    ids = changes.pop("target_ids", target_ids([make_target()]))
    values: dict[str, Any] = {
        "by": by,
        "at": START - WEEK / 7,
        "expires_at": START + WEEK,
        "digest": content_digest(DIGEST, ids),
        "target_ids": ids,
    }
    return Approval(**{**values, **changes})


def make_revision(*approvals: Approval, **changes: Any) -> Revision:
    """Written by ada, approved by grace unless told."""
    values: dict[str, Any] = {
        "number": 1,
        "state": RevisionState.APPROVED,
        "spec": make_spec(),
        "spec_digest": DIGEST,
        "edited_by": ("ada",),
        "updated_at": START - WEEK,
        "submitted_by": "ada",
        "submitted_at": START - WEEK,
        "approvals": approvals or (make_approval(),),
    }
    return Revision(**{**values, **changes})


def make_question(policy: PolicySpec = LOCAL, **changes: Any) -> Question:
    """Asked at `START` for ten minutes."""
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "team": "demo",
        "experiment": "slow-payments",
        "environment": "staging",
        "service": "orders",
        "now": START,
        "window_end": START + timedelta(minutes=10),
        "policy": policy,
    }
    return Question(**{**values, **changes})


def make_run(**changes: Any) -> ExperimentRun:
    """A run that begins at `START`."""
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "team": "demo",
        "experiment": "slow-payments",
        "revision": 1,
        "environment": "staging",
        "service": "orders",
        "state": RunState.PREFLIGHT_CHECK,
        "version": 1,
        "created_at": START,
        "requested_by": "ada",
        "spec": make_spec(),
        "spec_digest": DIGEST,
        "started_at": START,
    }
    return ExperimentRun(**{**values, **changes})


def count(revision: Revision, targets: Sequence[str], now: datetime) -> Sequence[Approval]:
    """The real count of approvals, as bootstrap puts it in."""
    return counting(revision, target_ids=targets, now=now)


def policy(**changes: Any) -> PolicySpec:
    """The local default with changes."""
    return PolicySpec.model_validate({**LOCAL.model_dump(by_alias=False), **changes})


def person(subject: str, *roles: Role, team: str = "demo") -> Actor:
    """Somebody of a team."""
    return Actor(subject=subject, issuer="https://issuer.example", teams=(team,), roles=roles)


@dataclass
class Runs:
    """What the gate needs of the store of runs. Set `fault` to let keeping fail."""

    held: dict[str, Hold] = field(default_factory=dict)
    decisions: list[GateDecision] = field(default_factory=list)
    lines: list[TimelineEvent] = field(default_factory=list)
    fault: Exception | None = None

    def hold(self, target_id: str, run_id: str, *, unverified: bool = False) -> None:
        """Let a run have a target."""
        self.held[target_id] = Hold(target_id, run_id, "demo", unverified, START)

    def holds(self, target_ids: Sequence[str]) -> tuple[Hold, ...]:
        return tuple(self.held[each] for each in target_ids if each in self.held)

    def add_decision(self, run_id: str, decision: GateDecision) -> None:
        if self.fault is not None:
            raise self.fault
        self.decisions.append(decision)

    def add_to_timeline(self, run_id: str, events: Sequence[TimelineEvent]) -> None:
        self.lines.extend(events)
