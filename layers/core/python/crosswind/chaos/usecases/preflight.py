"""PreFlightCheck: whether a run may begin, and everything that has to be stored before it does."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.chaos import gate, layout
from crosswind.chaos.engine import planning
from crosswind.chaos.engine.planning import Previewed
from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.policies import Policies
from crosswind.chaos.ports import (
    ChaosQueues,
    DeadMan,
    ExperimentRunStore,
    ExperimentStore,
    Objects,
)
from crosswind.chaos.providing import Providers
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
from crosswind.contracts.chaos.lifecycle import AbortCause, RunState
from crosswind.contracts.chaos.spec import Occasion
from crosswind.contracts.chaos.tasks import EngineAnswer, Next
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import Clock, from_iso, to_iso
from crosswind.kernel.errors import ConflictError, RetryableError, TerminalError

WATCH_SECONDS = 15
_HELD_POSTPONES = timedelta(minutes=1)
_FIRST_ANNOUNCEMENT = 1
_ABORTED_MEANWHILE = "the run was aborted during its preflight check"


@dataclass(frozen=True, slots=True)
class _Found:
    """What the providers said: previews, or why nobody knows what would be hit."""

    previews: tuple[Previewed, ...] | None
    unresolved: str = ""


@dataclass(frozen=True)
class CheckPreflight:
    """Resolve, ask, store, arm: in this order, so that nothing can be injected that could not be undone.

    The first state of chaos/experiment. To repeat it, by a retry or by a second execution, changes nothing that counts.
    """

    runs: ExperimentRunStore
    experiments: ExperimentStore
    providers: Providers
    ask_gate: Ask
    policies: Policies
    artifacts: Objects
    dead_man: DeadMan
    queues: ChaosQueues
    change: ChangeRun
    record_abort: RecordAbort
    publish_phase: PublishPhase
    tell: Tell
    clock: Clock
    refused_addresses: tuple[str, ...]
    cluster: str | None = None  # where monitors run; None: in the pool of runners

    def __call__(self, run_id: str) -> EngineAnswer:
        """Proceed with the ticket of the monitor, end this execution blocked, or recover. Raises RetryableError."""
        run = self._begin(run_id)
        if run.state is RunState.BLOCKED:
            return EngineAnswer(
                next=Next.BLOCKED, reason=run.decision.reason[:1000] if run.decision else None
            )
        if _is_over(run):
            return _recover(run.abort.reason if run.abort else f"the run is {run.state.value}")
        self.queues.watch(run_id, delay_seconds=WATCH_SECONDS)
        try:
            found = self._resolve(run)
        except TerminalError as error:
            return self._abort(run, AbortCause.INJECTION, f"a provider refuses: {error}")
        decision = self._ask(run, found)
        if decision.outcome is GateOutcome.ABORT:
            return self._abort(run, AbortCause.GATE, decision.reason)
        if decision.outcome is not GateOutcome.PROCEED or found.previews is None:
            return self._block(
                run, decision, until=_until(decision, self.clock.now()), reason=decision.reason
            )
        return self._prepare(run, found.previews, decision)

    def _begin(self, run_id: str) -> ExperimentRun:
        def decide(run: ExperimentRun) -> Change | None:
            if run.state is not RunState.SCHEDULED or run.abort is not None:
                return None
            now = self.clock.now()
            return self.change.moved(
                run,
                RunState.PREFLIGHT_CHECK,
                reason=f"preflight check {run.attempt}",
                started_at=run.started_at or now,
                deadline=now + timedelta(seconds=duration_seconds(run.spec.timeout)),
                blocked_until=None,
                steps=len(planning.hold_seconds(run)),
            )

        return self.change(run_id, decide)

    def _resolve(self, run: ExperimentRun) -> _Found:
        previews = []
        for step, fault, order, request in planning.requests(run):
            try:
                preview = self.providers.get(fault.provider).preview(request)
            except RetryableError as error:
                return _Found(None, f"provider {fault.provider.value} could not be asked: {error}")
            previews.append(Previewed(step, fault, order, preview))
        wrong = planning.refusals(previews)
        return _Found(None, "; ".join(wrong)) if wrong else _Found(tuple(previews))

    def _ask(self, run: ExperimentRun, found: _Found) -> GateDecision:
        return self.ask_gate(
            Asking(
                moment=Moment.PREFLIGHT,
                team=run.team,
                experiment=run.experiment,
                revision=self.experiments.revision(run.team, run.experiment, run.revision),
                spec=run.spec,
                resolved=None if found.previews is None else planning.resolved(found.previews),
                unresolved=found.unresolved,
                run=run,
                superseded=superseded(self.experiments, run),
            )
        )

    def _prepare(
        self, run: ExperimentRun, previews: tuple[Previewed, ...], decision: GateDecision
    ) -> EngineAnswer:
        if _is_over(self.runs.get(run.run_id)):  # asking the providers and the gate takes its time
            return _recover(_ABORTED_MEANWHILE)
        now = self.clock.now()
        injections = planning.injections(run, previews)
        try:
            self.runs.plan_injections(run, injections, planning.holds(run, injections, now=now))
        except ConflictError as error:
            return self._block(run, decision, until=now + _HELD_POSTPONES, reason=str(error))
        self.dead_man.arm(run.run_id, at=run.deadline or now)
        plan = planning.monitor_plan(
            run, self.policies.of(run.environment).spec, refused_addresses=self.refused_addresses
        )
        self._put(layout.monitor_key(run.run_id), plan.to_wire())
        self._put(layout.order_key(run.run_id), planning.monitor_order(run))
        run = self.change(run.run_id, lambda stored: self._decided(stored, decision))
        if _is_over(run):
            self.runs.release(run.run_id, planning.held_ids(injections))
            return _recover(_ABORTED_MEANWHILE)
        self.publish_phase(run)
        targets = len(planning.held_ids(injections))
        plural = "" if targets == 1 else "s"
        self.tell(
            run, Occasion.STARTED, f"{len(injections)} injections into {targets} target{plural} are planned"
        )
        ticket = planning.monitor_ticket(run, awaits=_FIRST_ANNOUNCEMENT, cluster=self.cluster)
        return EngineAnswer(next=Next.PROCEED, step=1, ticket=ticket)

    def _put(self, key: str, text: str) -> None:
        self.artifacts.put(key, text.encode(), content_type="application/json")

    def _decided(self, run: ExperimentRun, decision: GateDecision) -> Change:
        return Change(
            replace(
                run,
                decision=decision,
                gate_checked_at=from_iso(decision.decided_at),
                gate_fresh_until=gate.fresh_until(decision),
                moved_at=self.clock.now(),
            )
        )

    def _block(
        self, run: ExperimentRun, decision: GateDecision, *, until: datetime, reason: str
    ) -> EngineAnswer:
        def decide(stored: ExperimentRun) -> Change | None:
            if _is_over(stored):
                return None
            return self.change.moved(
                stored,
                RunState.BLOCKED,
                reason=f"{reason} (asked again at {to_iso(until)})",
                blocked_until=until,
                decision=decision,
            )

        # First the alarm, then the state: one that rings too early or for nothing is harmless, one that is missing is not.
        self.dead_man.wake(run.run_id, at=until)
        self.runs.release(run.run_id, planning.held_ids(self.runs.injections(run.run_id)))
        stored = self.change(run.run_id, decide)
        if stored.state is not RunState.BLOCKED:
            return _recover(_ABORTED_MEANWHILE)
        self.tell(stored, Occasion.BLOCKED, f"{reason}; asked again at {to_iso(until)}")
        return EngineAnswer(next=Next.BLOCKED, reason=reason[:1000])

    def _abort(self, run: ExperimentRun, cause: AbortCause, reason: str) -> EngineAnswer:
        self.record_abort(run.run_id, cause=cause, reason=reason, by=ENGINE)
        return _recover(reason)


def _is_over(run: ExperimentRun) -> bool:
    """Whether nothing more is to be prepared: somebody aborted it, or another execution went on with it."""
    return run.state is not RunState.PREFLIGHT_CHECK or run.abort is not None


def _recover(reason: str) -> EngineAnswer:
    return EngineAnswer(next=Next.RECOVER, reason=reason[:1000])


def _until(decision: GateDecision, now: datetime) -> datetime:
    return from_iso(decision.until) if decision.until else now + timedelta(minutes=5)
