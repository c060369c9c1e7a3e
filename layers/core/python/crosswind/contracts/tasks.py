"""Payloads between the states of runs/test-run. Everything large is a reference; each fits in a few KiB."""

from enum import StrEnum

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.work import RunId, Ticket, WorkAnswer


class RunExecutionInput(WireModel):
    """Input of the state machine. `preparations` may be empty when everything was prepared before."""

    run_id: RunId
    preparations: tuple[Ticket, ...]


class RunTask(WireModel):
    """Input of every Lambda of the run that needs only the run."""

    run_id: RunId


class StageRef(WireModel):
    """The stage that runs next: a JSONL object of tickets in the artifacts bucket."""

    stage: int
    shards_bucket: str
    shards_key: str


class PlanOutcome(StrEnum):
    """Where a Choice state goes after PlanRun or CloseStage."""

    PROCEED = "proceed"  # run the stage in `next`
    STOP = "stop"  # nothing (more) to run: fold and judge
    PLANNED = "planned"  # only a plan was wanted: publish
    WAITING = "waiting"  # the stage has ended, and the experiment beside it has not: ask again


class PlanRunAnswer(WireModel):
    """Output of PlanRun and of CloseStage."""

    outcome: PlanOutcome
    reason: str | None = None
    next: StageRef | None = Field(default=None, description="With `waiting`, the stage that has ended.")


class CloseStageTask(WireModel):
    """Input of CloseStage: the stage whose shards have all been answered."""

    run_id: RunId
    stage: int


class IngestShardTask(Ticket):
    """Input of IngestShard: the ticket with the answer that RunShard's token got."""

    answer: WorkAnswer


class IngestShardAnswer(WireModel):
    """Output of IngestShard."""

    tests: int
    failed: int


class StateError(WireModel):
    """What a Catch hands on (`Error` and `Cause` of Step Functions)."""

    error: str = Field(default="Unknown", alias="Error")
    cause: str = Field(default="", alias="Cause")


class RecordFailureTask(WireModel):
    """Input of RecordFailure: a state gave up. With a `ticket`, one shard did; without, the run."""

    run_id: RunId
    state: str
    failure: StateError
    ticket: Ticket | None = None


class FoldRunAnswer(WireModel):
    """Output of FoldResults."""

    tests: int
    pages: int


class JudgeRunAnswer(WireModel):
    """Output of JudgeRun."""

    verdict: str
    reason: str
