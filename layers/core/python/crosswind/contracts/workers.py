"""Payloads of the background workers: what EventBridge and `crosswind up` call them with, and what they answer."""

from pydantic import ConfigDict

from crosswind.contracts.base import WireModel


class SweepTask(WireModel):
    """Input of sweep_runs: nothing that matters. A scheduled event's envelope is taken and ignored."""

    model_config = ConfigDict(extra="ignore")


class SweepAnswer(WireModel):
    """Output of sweep_runs."""

    rearmed: int
    recovered: int
    sent: int


class ExecutionChange(WireModel):
    """The detail of a "Step Functions Execution Status Change", as far as it matters."""

    model_config = ConfigDict(extra="ignore")

    name: str
    status: str


class ExecutionStatusChanged(WireModel):
    """Input of recover_run: the event as EventBridge delivers it."""

    model_config = ConfigDict(extra="ignore")

    detail: ExecutionChange


class RecoverAnswer(WireModel):
    """Output of recover_run: `nothing`, `started`, `closing`, `closed`, or `ignored` for an execution of another kind."""

    recovery: str
