"""InjectStep: ask the gate again, then inject the faults of one step, each recorded before its provider is asked."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from crosswind.chaos import gate
from crosswind.chaos.engine import planning
from crosswind.chaos.engine.undoing import GONE
from crosswind.chaos.model import ExperimentRun, Injection
from crosswind.chaos.ports import ExperimentRunStore, ExperimentStore, Monitors
from crosswind.chaos.providing import FaultStatus, Provider, Providers
from crosswind.chaos.radius import target_ids
from crosswind.chaos.usecases.finding import superseded
from crosswind.chaos.usecases.gating import Asking
from crosswind.chaos.usecases.recording import (
    ENGINE,
    Ask,
    Change,
    ChangeRun,
    PublishPhase,
    RecordAbort,
    Tell,
)
from crosswind.contracts.chaos.gate import GateDecision, GateOutcome, Moment
from crosswind.contracts.chaos.lifecycle import AbortCause, FaultState, RunState
from crosswind.contracts.chaos.monitoring import AnnouncementName
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.contracts.chaos.spec import Occasion
from crosswind.contracts.chaos.tasks import EngineAnswer, Next
from crosswind.kernel.clock import Clock, from_iso
from crosswind.kernel.errors import RetryableError, TerminalError, WriteConflictError

BEGINS_WITHIN = timedelta(seconds=30)
"""How long a provider may take from its yes to a fault that is in; some begin by and by."""

_ASKED_WITHIN = timedelta(seconds=5)
"""From the record to the call. Later, whoever undoes may have looked already: no provider is asked any more."""
_POLL_SECONDS = 0.5
_INJECTABLE = frozenset({RunState.PREFLIGHT_CHECK, RunState.RUNNING, RunState.MONITORING})
_ASKED = frozenset({FaultState.INJECTING, FaultState.UNKNOWN})

_log = logging.getLogger(__name__)


class _StopError(Exception):
    """The step goes no further; its faults are undone by the recovery."""

    def __init__(self, cause: AbortCause, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


@dataclass(frozen=True)
class InjectStep:
    """Inject a step, or say why not. Safe to repeat: what is in stays as it is, what may be in is asked for again.

    An abort that is recorded before a fault's turn keeps that fault out; one that is recorded later finds the fault in
    the store before it can be at the provider.
    """

    runs: ExperimentRunStore
    experiments: ExperimentStore
    providers: Providers
    monitors: Monitors
    ask_gate: Ask
    change: ChangeRun
    record_abort: RecordAbort
    publish_phase: PublishPhase
    tell: Tell
    clock: Clock
    pause: Callable[[float], None]
    cluster: str | None = None  # where monitors run; None: in the pool of runners

    def __call__(self, run_id: str, *, step: int) -> EngineAnswer:
        """Watch next, or recover. Raises RetryableError."""
        run = self.change.touch(run_id)
        if run.abort is not None or run.state not in _INJECTABLE or step < run.step:
            return _recover(run.abort.reason if run.abort else f"the run is {run.state.value}")
        if run.state is RunState.MONITORING and run.step == step:
            return self._watch(run, step)
        try:
            self._check_time(run, step)
            self._check_monitor(run, step)
            decision = self._check_gate(run, step)
            self._begin(run_id, step, decision)
            for injection in self.runs.injections(run_id):
                if injection.step == step:
                    self._inject(injection)
            run = self._end(run_id, step)
        except _StopError as stop:
            run = self.record_abort.without_cancel(run_id, cause=stop.cause, reason=str(stop), by=ENGINE)
            return _recover(run.abort.reason if run.abort else str(stop))
        self.publish_phase(run)
        return self._watch(run, step)

    def _check_time(self, run: ExperimentRun, step: int) -> None:
        over = self.clock.now() + timedelta(seconds=planning.hold_seconds(run)[step])
        if run.deadline is None or over > run.deadline:
            raise _StopError(AbortCause.TIMEOUT, f"the run's timeout leaves no time for step {step}")

    def _check_monitor(self, run: ExperimentRun, step: int) -> None:
        """Whoever watches is there, found the steady state, and has told of every step before."""
        state = self.monitors.state(run.run_id)
        if state is None or state.done or not state.leased:
            raise _StopError(AbortCause.MONITOR_SILENT, "nobody watches the run")
        lapses = state.last_beat_expires_at
        if lapses is None or self.clock.now() >= lapses:  # nobody may have swept the lease yet
            raise _StopError(AbortCause.MONITOR_SILENT, "the monitor has fallen silent")
        if AnnouncementName.BREACH.value in state.announcements:
            raise _StopError(AbortCause.SLO, f"a guard was breached before step {step}")
        expected = (AnnouncementName.LIVE, *(AnnouncementName.STEP_OVER for _ in range(1, step)))
        if state.announcements != tuple(each.value for each in expected):
            told = state.announcements[-1] if state.announcements else "nothing"
            raise _StopError(AbortCause.MONITOR_SILENT, f"the monitor announced {told} before step {step}")

    def _check_gate(self, run: ExperimentRun, step: int) -> GateDecision:
        planned = [each for each in self.runs.injections(run.run_id) if each.step == step]
        decision = self.ask_gate(
            Asking(
                moment=Moment.STEP,
                team=run.team,
                experiment=run.experiment,
                revision=self.experiments.revision(run.team, run.experiment, run.revision),
                spec=run.spec,
                resolved=planning.planned(planned),
                planned=True,
                run=run,
                superseded=superseded(self.experiments, run),
                step=step,
            )
        )
        if decision.outcome is not GateOutcome.PROCEED:
            raise _StopError(AbortCause.GATE, decision.reason)
        return decision

    def _begin(self, run_id: str, step: int, decision: GateDecision) -> None:
        def decide(run: ExperimentRun) -> Change:
            _refuse_if_over(run)
            now = self.clock.now()
            fields: dict[str, Any] = {
                "step": step,
                "step_began_at": now,
                "step_until": None,
                "decision": decision,
                "gate_checked_at": from_iso(decision.decided_at),
                "gate_fresh_until": gate.fresh_until(decision),
            }
            if run.state is RunState.RUNNING:
                return Change(replace(run, **fields | {"step_began_at": run.step_began_at or now}))
            return self.change.moved(run, RunState.RUNNING, reason=f"step {step} of {run.steps}", **fields)

        self.publish_phase(self.change(run_id, decide))

    def _end(self, run_id: str, step: int) -> ExperimentRun:
        def decide(run: ExperimentRun) -> Change | None:
            _refuse_if_over(run)
            if run.state is RunState.MONITORING and run.step == step:
                return None
            until = self.clock.now() + timedelta(seconds=planning.hold_seconds(run)[step])
            return self.change.moved(run, RunState.MONITORING, reason=f"step {step} is in", step_until=until)

        return self.change(run_id, decide)

    def _inject(self, injection: Injection) -> None:
        """One fault, from wherever an earlier try left it."""
        if injection.state is FaultState.ACTIVE:
            return
        if injection.state is not FaultState.PLANNED and injection.state not in _ASKED:
            raise _StopError(AbortCause.ENGINE, f"{injection.fault} was undone before it was in")
        provider = self.providers.get(injection.provider)
        _refuse_if_over(self.runs.get(injection.run_id))
        asked = self._save(
            replace(injection, state=FaultState.INJECTING, asked_at=self.clock.now(), detail=None)
        )
        status = self._asked(provider, asked)
        now = self.clock.now()
        changed = replace(
            asked,
            state=status.state if status.state is not FaultState.INJECTING else FaultState.UNKNOWN,
            handle=status.handle or asked.handle,
            injected_at=now if status.state is FaultState.ACTIVE else None,
            detail=status.detail[:1000] or None,
        )
        try:
            self._save(changed)
        except _StopError:
            self._take_back(provider, changed)
            raise
        self.tell.note(
            injection.run_id,
            f"{injection.fault} of step {injection.step}: {changed.state.value}"
            + (f", {changed.detail}" if changed.detail else ""),
            kind=TimelineKind.FAULT,
            fault=injection.fault,
        )
        if status.stopped_by:
            raise _StopError(AbortCause.SLO, f"{injection.fault} was stopped by {status.stopped_by}")
        if changed.state is not FaultState.ACTIVE:
            told = f": {status.detail}" if status.detail else ""
            raise _StopError(AbortCause.INJECTION, f"{injection.fault} is {changed.state.value}{told}")

    def _asked(self, provider: Provider, injection: Injection) -> FaultStatus:
        """What became of it. A lost answer is asked for; what nobody can tell is unknown, and undone as if it were in."""
        now = self.clock.now()
        if injection.asked_at is not None and now >= injection.asked_at + _ASKED_WITHIN:
            return FaultStatus(
                FaultState.UNKNOWN, "whoever was to ask slept in between, and did not ask any more"
            )
        until = now + BEGINS_WITHIN
        try:
            status = provider.inject(injection)
            while status.state is FaultState.INJECTING and self.clock.now() < until:
                self.pause(_POLL_SECONDS)
                status = provider.status(replace(injection, handle=status.handle or injection.handle))
        except RetryableError as error:
            return self._lost(provider, injection, error)
        except TerminalError as error:
            return self._refused(provider, injection, error)
        if status.state is FaultState.REMOVED:  # it began and ended: whoever ended it is told by `stopped_by`
            return replace(status, detail=status.detail or "it was over before it was watched")
        return status

    def _refused(self, provider: Provider, injection: Injection, error: TerminalError) -> FaultStatus:
        """It was answered, so nothing comes later; but of several targets the first ones may have been hit."""
        try:
            provider.stop(injection)
            said = provider.verify_removed(injection)
        except (RetryableError, TerminalError):
            said = FaultStatus(FaultState.UNKNOWN)
        gone = said.state in GONE
        return FaultStatus(FaultState.REFUSED if gone else FaultState.UNKNOWN, detail=str(error))

    def _lost(self, provider: Provider, injection: Injection, error: RetryableError) -> FaultStatus:
        lost = FaultStatus(FaultState.UNKNOWN, detail=f"the provider's answer was lost: {error}")
        try:
            status = provider.status(injection)
        except (RetryableError, TerminalError):
            return lost
        return status if status.state is FaultState.ACTIVE else lost

    def _save(self, injection: Injection) -> Injection:
        """Nobody else writes it but whoever undoes it: then it must not be in."""
        try:
            return self.runs.save_injection(injection)
        except WriteConflictError as error:
            raise _StopError(AbortCause.ENGINE, f"{injection.fault} was undone while it went in") from error

    def _take_back(self, provider: Provider, injection: Injection) -> None:
        """The provider answered after somebody else wrote the fault: undo it, and say so if that is not proven.

        It is not proven either while another one, who asked after us, may still get what it asked for. A run that is
        analysed has nobody any more who would try again: then its targets stay held, and operators are told.
        """
        try:
            provider.stop(injection)
            gone = provider.verify_removed(injection).state in GONE
        except Exception:  # noqa: BLE001  # whatever it was: it may be in
            _log.exception("%s could not be taken back", injection.marker)
            gone = False
        stored = next(
            each
            for each in self.runs.injections(injection.run_id)
            if (each.step, each.fault) == (injection.step, injection.fault)
        )
        gone = gone and stored.asked_at == injection.asked_at
        state = FaultState.REMOVED if gone else FaultState.UNKNOWN
        told = "it went in late, and was taken back" if gone else "it went in late, and may be in"
        self.runs.save_injection(replace(stored, state=state, detail=told))
        run = self.runs.get(injection.run_id)
        if not gone and run.state is RunState.ANALYZED:
            self.runs.mark_unverified(run.run_id, target_ids(injection.targets))
            self.tell(
                run, Occasion.RECOVERY_UNVERIFIED, f"{injection.fault} of step {injection.step}: {told}"
            )

    def _watch(self, run: ExperimentRun, step: int) -> EngineAnswer:
        ticket = planning.monitor_ticket(run, awaits=1 + step, cluster=self.cluster)
        return EngineAnswer(next=Next.PROCEED, step=step, ticket=ticket)


def _refuse_if_over(run: ExperimentRun) -> None:
    if run.abort is not None:
        raise _StopError(run.abort.cause, run.abort.reason)
    if run.state not in _INJECTABLE:
        raise _StopError(AbortCause.ENGINE, f"the run is {run.state.value}")


def _recover(reason: str) -> EngineAnswer:
    return EngineAnswer(next=Next.RECOVER, reason=reason[:1000])
