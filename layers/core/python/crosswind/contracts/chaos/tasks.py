"""Payloads between the states of chaos/experiment, and of the workers beside it. Everything large is a reference."""

from enum import StrEnum

from pydantic import ConfigDict, Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.runs import ExperimentRunId
from crosswind.contracts.suites import Name, Team
from crosswind.contracts.tasks import StateError
from crosswind.contracts.work import Ticket, WorkAnswer


class ExperimentInput(WireModel):
    """Input of the state machine."""

    run_id: ExperimentRunId


class Next(StrEnum):
    """Where a Choice goes."""

    PROCEED = (
        "proceed"  # PreFlightCheck: start the monitor. InjectStep: watch. CloseStep: inject the next step
    )
    BLOCKED = (
        "blocked"  # PreFlightCheck: the run waits until the gate may be asked again; this execution ends
    )
    RECOVER = "recover"  # undo everything
    FINISH = "finish"  # CloseStep: every step went through
    UNVERIFIED = "unverified"  # Recover: the provider could not confirm; the reaper goes on


class EngineAnswer(WireModel):
    """Output of PreFlightCheck, InjectStep, CloseStep and Recover."""

    next: Next
    step: int = Field(default=0, ge=0, description="The step that is injected or watched next; 1-based.")
    ticket: Ticket | None = Field(
        default=None, description="What to wait for: the monitor's next announcement, or its end."
    )
    reason: str | None = Field(default=None, max_length=1000)


class StepTask(WireModel):
    """Input of InjectStep."""

    run_id: ExperimentRunId
    step: int = Field(ge=1)


class CloseStepTask(WireModel):
    """Input of CloseStep: what the monitor answered, also where it was no step that it answered for."""

    run_id: ExperimentRunId
    step: int
    answer: WorkAnswer


class RecoverTask(WireModel):
    """Input of Recover."""

    run_id: ExperimentRunId


class AnalyzeTask(WireModel):
    """Input of Analyze."""

    run_id: ExperimentRunId


class AnalyzeAnswer(WireModel):
    """Output of Analyze."""

    verdict: str
    reason: str


class EngineFailureTask(WireModel):
    """Input of RecordEngineFailure: a state gave up."""

    run_id: ExperimentRunId
    state: str
    failure: StateError


class ReapTask(WireModel):
    """Input of reap_experiments: one run from its dead-man schedule, or nothing from the rule of every minute."""

    model_config = ConfigDict(extra="ignore")

    run_id: ExperimentRunId | None = None


class ReapAnswer(WireModel):
    """Output of reap_experiments."""

    looked_at: int
    undone: int
    unverified: int


class StartTask(WireModel):
    """Input of start_experiments: one definition from its schedule, one blocked run whose time has come, or nothing (all overdue)."""

    model_config = ConfigDict(extra="ignore")

    team: Team | None = None
    experiment: Name | None = None
    run_id: ExperimentRunId | None = None


class StartAnswer(WireModel):
    """Output of start_experiments."""

    started: int
    faults: int


class ChaosWatchMessage(WireModel):
    """Body of a message in the delayed chaos watch queue: look after this run, and come back while it goes on."""

    run_id: ExperimentRunId
