"""Recover: undo everything, on every path, and let nobody believe that it is undone but by the provider's word."""

from dataclasses import dataclass, replace
from datetime import timedelta

from crosswind.chaos.engine import planning, undoing
from crosswind.chaos.model import ExperimentRun, Injection
from crosswind.chaos.ports import ExperimentRunStore, Monitors
from crosswind.chaos.radius import target_ids
from crosswind.chaos.usecases.recording import (
    ABORTABLE,
    ENGINE,
    Change,
    ChangeRun,
    PublishPhase,
    RecordAbort,
    Tell,
)
from crosswind.chaos.usecases.undoing import UndoFaults
from crosswind.contracts.chaos.lifecycle import AbortCause, ExperimentVerdict, RunState
from crosswind.contracts.chaos.spec import Occasion
from crosswind.contracts.chaos.tasks import EngineAnswer, Next
from crosswind.contracts.work import Ticket
from crosswind.kernel.clock import Clock

UNDONE_WITHIN = timedelta(seconds=120)  # of the Lambda's 240
_ENDED = frozenset({RunState.ABORTED, RunState.COMPLETED})


@dataclass(frozen=True)
class Recover:
    """Bring a run to Recovery, undo and verify, let go of its targets. By the machine and by the reaper, also at once.

    What cannot be proven gone is RecoveryUnverified: its targets stay held, people are told, and the reaper asks again.
    """

    runs: ExperimentRunStore
    monitors: Monitors
    undo: UndoFaults
    change: ChangeRun
    record_abort: RecordAbort
    publish_phase: PublishPhase
    tell: Tell
    clock: Clock
    cluster: str | None = None  # where monitors run; None: in the pool of runners

    def __call__(
        self,
        run_id: str,
        *,
        cause: AbortCause = AbortCause.ENGINE,
        reason: str = "the state machine gave up",
        by: str = ENGINE,
        within: timedelta = UNDONE_WITHIN,
    ) -> EngineAnswer:
        """Wait for the monitor's end, or unverified. `cause` counts where the run neither completed nor was aborted.

        Raises RetryableError.
        """
        run = self._begin(run_id, cause=cause, reason=reason, by=by)
        if run.state is RunState.ANALYZED:
            return EngineAnswer(next=Next.PROCEED)
        rest = self.undo(run_id, within=within)
        if rest:
            return self._unverified(run_id, rest, by=by)
        first = run.undone_at is None
        run = self._verified(run_id, by=by)
        injections = self.runs.injections(run_id)
        self.runs.release(run_id, planning.held_ids(injections))
        self.publish_phase(run)
        ticket = self._last_wait(run, injections)
        if first and run.abort is not None:
            told = f"{run.abort.cause.value}: {run.abort.reason}; everything is undone"
            self.tell(run, Occasion.ABORTED, told)
        return EngineAnswer(next=Next.PROCEED, ticket=ticket)

    def _begin(self, run_id: str, *, cause: AbortCause, reason: str, by: str) -> ExperimentRun:
        """To Aborted, then to Recovery, each a move of its own. One that is unverified stays so until it is proven."""
        self.record_abort.without_cancel(run_id, cause=cause, reason=reason, by=by)

        def end(run: ExperimentRun) -> Change | None:
            if run.state not in ABORTABLE or run.abort is None:
                return None
            return self.change.moved(run, RunState.ABORTED, reason=run.abort.reason, actor=run.abort.by)

        def recover(run: ExperimentRun) -> Change | None:
            if run.state not in _ENDED:
                return None
            return self.change.moved(run, RunState.RECOVERY, reason="undo and verify", actor=by)

        self.change(run_id, end)
        return self.change(run_id, recover)

    def _verified(self, run_id: str, *, by: str) -> ExperimentRun:
        def decide(run: ExperimentRun) -> Change | None:
            removed = [each.removed_at for each in self.runs.injections(run_id) if each.removed_at]
            undone_at = max(removed, default=self.clock.now())
            if run.state is RunState.RECOVERY_UNVERIFIED:
                return self.change.moved(
                    run,
                    RunState.RECOVERY,
                    reason="every removal is proven at last",
                    actor=by,
                    undone_at=undone_at,
                )
            if run.state is not RunState.RECOVERY or run.undone_at is not None:
                return None
            return Change(replace(run, undone_at=undone_at))

        return self.change(run_id, decide)

    def _unverified(self, run_id: str, rest: tuple[Injection, ...], *, by: str) -> EngineAnswer:
        names = "; ".join(
            f"{each.fault} of step {each.step} ({each.detail or each.state.value})" for each in rest
        )
        reason = f"not proven gone: {names}"

        def decide(run: ExperimentRun) -> Change | None:
            attempts = run.recovery_attempts + 1
            if run.state is RunState.RECOVERY:
                change = self.change.moved(
                    run, RunState.RECOVERY_UNVERIFIED, reason=reason, actor=by, recovery_attempts=attempts
                )
                judged = replace(
                    change.run, verdict=ExperimentVerdict.RECOVERY_UNVERIFIED, reason=reason[:1000]
                )
                return replace(change, run=judged)
            if run.state is not RunState.RECOVERY_UNVERIFIED:
                return None
            return Change(replace(run, recovery_attempts=attempts, moved_at=self.clock.now()))

        held = target_ids(target for each in rest for target in each.targets)
        self.runs.mark_unverified(run_id, held)
        everything = planning.held_ids(self.runs.injections(run_id))
        self.runs.release(run_id, tuple(each for each in everything if each not in held))
        run = self.change(run_id, decide)
        if _is_told(run.recovery_attempts):
            self.tell(run, Occasion.RECOVERY_UNVERIFIED, f"try {run.recovery_attempts}: {reason}")
        return EngineAnswer(next=Next.UNVERIFIED, reason=reason[:1000])

    def _last_wait(self, run: ExperimentRun, injections: tuple[Injection, ...]) -> Ticket | None:
        """Wait for a monitor that has something left to see: whether the steady state comes back."""
        state = self.monitors.state(run.run_id)
        if state is None or state.done:
            return None
        if not undoing.ever_asked(injections) or not state.leased:
            self.monitors.cancel(run.run_id, reason="nothing was injected")
            return None
        return planning.monitor_ticket(run, awaits=None, cluster=self.cluster)


def _is_told(attempts: int) -> bool:
    """At once, then ever more seldom: after 2, 4, 8 … tries."""
    return attempts & (attempts - 1) == 0
