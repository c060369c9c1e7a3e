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


class ObserveTask(WireModel):
    """Input of observe_pods: nothing that matters. A scheduled event's envelope is taken and ignored."""

    model_config = ConfigDict(extra="ignore")


class ObserveAnswer(WireModel):
    """Output of observe_pods: what its looks at the clusters came to."""

    jobs: int
    lost: int
    removed: int
    replaced: int
    orphans: int
    failed: int


class FinishedRun(WireModel):
    """The detail of a RunFinished, as far as it matters to who keeps the tests' history."""

    model_config = ConfigDict(extra="ignore")

    run_id: str


class FinishedEvent(WireModel):
    """A DomainEvent of a finished run, as far as it matters. A newer edition may have put more in."""

    model_config = ConfigDict(extra="ignore")

    detail: FinishedRun


class RunFinishedDelivery(WireModel):
    """Message of record_history: the event as EventBridge puts it into a queue."""

    model_config = ConfigDict(extra="ignore")

    detail: FinishedEvent


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
