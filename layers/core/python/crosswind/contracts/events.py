"""Domain events: past-tense facts with a version, in a CloudEvents-like envelope; they only grow."""

from typing import Literal

from pydantic import Field

from crosswind.contracts.base import WireModel

EVENT_SOURCE = "crosswind.runs"


class RunFinished(WireModel):
    """A run got its verdict."""

    run_id: str
    team: str
    suite: str
    verdict: str
    reason: str
    tests: int
    failed: int
    started_at: str
    finished_at: str
    actor: str


class DomainEvent(WireModel):
    """Envelope: one detail per type. `id` is stable, so that a repeated delivery can be recognised."""

    id: str
    type: Literal["runs.run.finished.v1"] = "runs.run.finished.v1"
    occurred_at: str
    team: str
    detail: RunFinished = Field(description="Grows only by optional fields inside v1.")
