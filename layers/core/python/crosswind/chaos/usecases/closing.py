"""CloseStep: what the monitor's answer means, and the end of a step that was watched to its end."""

from dataclasses import dataclass
from datetime import timedelta

from crosswind.chaos.model import ExperimentRun, Injection
from crosswind.chaos.ports import ExperimentRunStore
from crosswind.chaos.providing import Capabilities, Providers
from crosswind.chaos.usecases.recording import ENGINE, Change, ChangeRun, RecordAbort, Tell
from crosswind.chaos.usecases.undoing import UndoFaults
from crosswind.contracts.chaos.lifecycle import AbortCause, FaultState, RunState
from crosswind.contracts.chaos.monitoring import AnnouncementName
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.contracts.chaos.tasks import EngineAnswer, Next
from crosswind.contracts.work import WorkAnswer, WorkOutcome
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import RetryableError, TerminalError

UNDONE_WITHIN = timedelta(seconds=100)  # of the Lambda's 180

MONITOR = "monitor"
_GOES_ON = frozenset({RunState.PREFLIGHT_CHECK, RunState.RUNNING, RunState.MONITORING})
_NOT_IN = frozenset({FaultState.REMOVED, FaultState.REFUSED, FaultState.INJECTING})
_MEANS = {
    AnnouncementName.BREACH.value: (AbortCause.SLO, "a guard was breached"),
    AnnouncementName.UNSTEADY.value: (AbortCause.STEADY_STATE, "the steady state did not hold"),
}


@dataclass(frozen=True)
class CloseStep:
    """Take every answer of the monitor: the step is over, or the run is aborted with its reason."""

    runs: ExperimentRunStore
    providers: Providers
    undo: UndoFaults
    change: ChangeRun
    record_abort: RecordAbort
    tell: Tell
    clock: Clock

    def __call__(self, run_id: str, *, step: int, answer: WorkAnswer) -> EngineAnswer:
        """Inject the next step, finish, or recover. Safe to repeat. Raises RetryableError."""
        run = self.change.touch(run_id)
        if run.abort is not None or run.state not in _GOES_ON:
            return _recover(run.abort.reason if run.abort else f"the run is {run.state.value}")
        if answer.announcement is not None:
            told = answer.announcement
            text = f"{told.name}: {told.detail}" if told.detail else told.name
            self.tell.note(run_id, text, kind=TimelineKind.ANNOUNCEMENT, actor=MONITOR)
        cause = _why_over(answer)
        if cause is None and (run.state is not RunState.MONITORING or run.step != step):
            cause = (AbortCause.ENGINE, f"step {step} was closed while step {run.step} is {run.state.value}")
        cause = cause or self._ended_by_provider(run_id, step) or self._undone(run_id, step)
        if cause is not None:
            run = self.record_abort.without_cancel(run_id, cause=cause[0], reason=cause[1], by=_by(cause[0]))
            return _recover(run.abort.reason if run.abort else cause[1])
        if step < run.steps:
            return EngineAnswer(next=Next.PROCEED, step=step + 1)
        return self._complete(run_id)

    def _ended_by_provider(self, run_id: str, step: int) -> tuple[AbortCause, str] | None:
        """Whether a provider stopped a fault, such as by an alarm that it watches, or lost it before its time."""
        for injection in self.runs.injections(run_id):
            if injection.step == step and injection.state is FaultState.ACTIVE:
                cause = self._ended_early(injection)
                if cause is not None:
                    return cause
        return None

    def _ended_early(self, injection: Injection) -> tuple[AbortCause, str] | None:
        try:
            provider = self.providers.get(injection.provider)
            status, can = provider.status(injection), provider.capabilities()
        except (RetryableError, TerminalError):
            return None  # whether it is gone is asked next, and has to be proven
        if status.stopped_by:
            return AbortCause.SLO, f"{injection.fault} was stopped by {status.stopped_by}"
        lost = (
            status.state in _NOT_IN and can.stays(injection.action) and not self._had_its_time(injection, can)
        )
        if not lost and not status.failed:
            return None
        told = f": {status.detail}" if status.detail else ""
        return AbortCause.INJECTION, f"{injection.fault} did not stay in as long as it was meant to{told}"

    def _had_its_time(self, injection: Injection, can: Capabilities) -> bool:
        """Whether its provider ended it by itself, because its duration is over."""
        if not can.own_time_limit or injection.asked_at is None:
            return False
        return self.clock.now() >= injection.asked_at + timedelta(seconds=injection.duration_seconds)

    def _undone(self, run_id: str, step: int) -> tuple[AbortCause, str] | None:
        rest = self.undo(run_id, within=UNDONE_WITHIN, step=step)
        if not rest:
            return None
        names = ", ".join(each.fault for each in rest)
        return AbortCause.INJECTION, f"what step {step} injected could not be proven gone: {names}"

    def _complete(self, run_id: str) -> EngineAnswer:
        def decide(run: ExperimentRun) -> Change | None:
            if run.abort is not None or run.state is not RunState.MONITORING:
                return None
            return self.change.moved(run, RunState.COMPLETED, reason="every step went through")

        run = self.change(run_id, decide)
        if run.abort is not None:
            return _recover(run.abort.reason)
        return EngineAnswer(next=Next.FINISH)


def _why_over(answer: WorkAnswer) -> tuple[AbortCause, str] | None:
    """Why the run is aborted on this answer; None where the step was watched to its end."""
    told = answer.announcement
    if answer.outcome is WorkOutcome.ANNOUNCED and told is not None:
        if told.name == AnnouncementName.STEP_OVER:
            return None
        cause, reason = _MEANS.get(told.name, (AbortCause.ENGINE, f"the monitor announced {told.name}"))
        return cause, told.detail or reason
    reason = answer.reason or f"the monitor ended as {answer.outcome.value}"
    return AbortCause.MONITOR_SILENT, reason


def _by(cause: AbortCause) -> str:
    return MONITOR if cause in {AbortCause.SLO, AbortCause.STEADY_STATE} else ENGINE


def _recover(reason: str) -> EngineAnswer:
    return EngineAnswer(next=Next.RECOVER, reason=reason[:1000])
