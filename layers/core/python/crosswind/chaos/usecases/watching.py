"""The watch of a run: what time alone brings about while it goes on, and what a crash or a lost message left undone."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.chaos import gate
from crosswind.chaos.engine import liveness, planning
from crosswind.chaos.engine.phases import UNDER_FAULT
from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.policies import Policies
from crosswind.chaos.ports import (
    ChaosQueues,
    Engine,
    ExperimentRunStore,
    ExperimentStore,
    FactStore,
    Monitors,
    MonitorState,
)
from crosswind.chaos.usecases.finding import superseded
from crosswind.chaos.usecases.gating import Asking
from crosswind.chaos.usecases.preflight import WATCH_SECONDS
from crosswind.chaos.usecases.reaping import CloseUnstarted, ReapRun
from crosswind.chaos.usecases.recording import (
    ABORTABLE,
    UNSTARTED,
    Ask,
    Change,
    ChangeRun,
    PublishEvents,
    PublishPhase,
    RecordAbort,
)
from crosswind.contracts.chaos.gate import GateOutcome, Moment
from crosswind.contracts.chaos.lifecycle import AbortCause, RunState
from crosswind.contracts.chaos.tasks import ExperimentInput
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import Clock, from_iso
from crosswind.kernel.errors import CrosswindError, NotFoundError

WATCH = "watch"
SHORTEST_TURN = timedelta(seconds=10)  # an earlier message belongs to a second chain, which ends here
_ONE_TURN = timedelta(seconds=2 * WATCH_SECONDS)
_RESTART_AFTER = timedelta(seconds=30)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StartExecution:
    """Start the execution of a run's present attempt. Starting it twice starts it once."""

    engine: Engine

    def __call__(self, run: ExperimentRun) -> None:
        """Raises RetryableError."""
        self.engine.start(f"{run.run_id}-p{run.attempt}", ExperimentInput(run_id=run.run_id))


@dataclass(frozen=True)
class WakeBlocked:
    """A blocked run whose time has come is scheduled again, with an execution of its own."""

    change: ChangeRun
    start: StartExecution
    queues: ChaosQueues
    clock: Clock

    def __call__(self, run: ExperimentRun) -> bool:
        """Whether its time had come. Raises RetryableError."""
        if run.blocked_until is not None and self.clock.now() < run.blocked_until:
            return False

        def decide(stored: ExperimentRun) -> Change | None:
            if stored.state is not RunState.BLOCKED or stored.abort is not None:
                return None
            attempt = stored.attempt + 1
            return self.change.moved(
                stored,
                RunState.SCHEDULED,
                reason=f"its time has come: attempt {attempt}",
                actor=WATCH,
                attempt=attempt,
            )

        woken = self.change(run.run_id, decide)
        self.queues.watch(run.run_id, delay_seconds=WATCH_SECONDS)
        if woken.state is RunState.SCHEDULED:
            self.start(woken)
        return True


@dataclass(frozen=True)
class WatchExperiment:
    """Look after a run once, and come back while it goes on. The next turn is armed before anything else."""

    runs: ExperimentRunStore
    experiments: ExperimentStore
    facts: FactStore
    policies: Policies
    monitors: Monitors
    queues: ChaosQueues
    ask_gate: Ask
    change: ChangeRun
    record_abort: RecordAbort
    publish_phase: PublishPhase
    publish_events: PublishEvents
    wake: WakeBlocked
    start: StartExecution
    close_unstarted: CloseUnstarted
    reap: ReapRun
    run_suites: Callable[[ExperimentRun, MonitorState | None], object]  # RunSuiteProbes
    clock: Clock

    def all(self, run_ids: Sequence[str]) -> list[int]:
        """A turn for each run. Returns the indexes of those that failed."""
        failed = []
        for index, run_id in enumerate(run_ids):
            try:
                self(run_id)
            except CrosswindError:
                _log.exception("run %s could not be looked after", run_id)
                failed.append(index)
        return failed

    def __call__(self, run_id: str) -> bool:
        """Whether this was the run's turn. Raises RetryableError."""
        try:
            run = self._take_turn(run_id)
        except NotFoundError:
            _log.warning("run %s is gone", run_id)
            return False
        if run is None or run.state is RunState.ANALYZED:
            return False
        if run.state in UNSTARTED and run.abort is not None:
            self.close_unstarted(run_id)
            return True
        if run.state is RunState.BLOCKED:
            return self.wake(run)
        self.queues.watch(run_id, delay_seconds=WATCH_SECONDS)
        if run.state is RunState.SCHEDULED:
            self._start_again(run)
            self.reap.judged(run, None)
            return True
        # The lease of a silent monitor first: everything after it may take its time.
        monitor = self.monitors.watch(run_id)
        found = liveness.stranded(run, monitor, now=self.clock.now())
        if found is not None:
            self.reap.act(run, found)
        elif run.state in ABORTABLE and run.abort is None:
            self._look(run)
        self._run_suites(run, monitor)
        self.publish_events()
        return True

    def _run_suites(self, run: ExperimentRun, monitor: MonitorState | None) -> None:
        """What it cannot do now, it does at the next turn; a suite without a verdict is a probe that is unknown."""
        try:
            self.run_suites(run, monitor)
        except CrosswindError:
            _log.exception("suites that are probes of %s could not be looked after", run.run_id)

    def _take_turn(self, run_id: str) -> ExperimentRun | None:
        """Record the turn; of several messages for one run one gets it, so that chains never multiply."""
        taken: list[bool] = []

        def decide(run: ExperimentRun) -> Change | None:
            now = self.clock.now()
            early = run.watched_at is not None and now - run.watched_at < SHORTEST_TURN
            over = run.state is RunState.ANALYZED
            taken[:] = [over or not early]
            return None if over or early else Change(replace(run, watched_at=now))

        run = self.change(run_id, decide)
        return run if taken[-1] else None

    def _start_again(self, run: ExperimentRun) -> None:
        """Whoever scheduled it may have died before it started the execution."""
        if self.clock.now() - (run.moved_at or run.created_at) >= _RESTART_AFTER:
            self.start(run)

    def _look(self, run: ExperimentRun) -> None:
        """What may end it from outside: the halt switch, and the gate's present answer."""
        halt = self.facts.halt()
        if halt is not None:
            self.record_abort(run.run_id, cause=AbortCause.HALT, reason=f"halted: {halt.reason}", by=halt.by)
        elif run.state in UNDER_FAULT:
            if self._gate_is_due(run):
                self._ask(run)
            else:
                self.publish_phase(run)

    def _gate_is_due(self, run: ExperimentRun) -> bool:
        """By the policy's word, or when the last answer would be too old before the next turn but one."""
        asked, fresh = run.gate_checked_at, run.gate_fresh_until
        if asked is None or fresh is None:
            return True
        now = self.clock.now()
        every = timedelta(seconds=duration_seconds(self.policies.of(run.environment).spec.recheck))
        return now >= asked + every or now >= fresh - _ONE_TURN

    def _ask(self, run: ExperimentRun) -> None:
        decision = self.ask_gate(
            Asking(
                moment=Moment.RUNNING,
                team=run.team,
                experiment=run.experiment,
                revision=self.experiments.revision(run.team, run.experiment, run.revision),
                spec=run.spec,
                resolved=planning.planned(self.runs.injections(run.run_id)),
                planned=True,
                run=run,
                superseded=superseded(self.experiments, run),
                step=run.step,
            )
        )
        if decision.outcome is not GateOutcome.PROCEED:
            self.record_abort(run.run_id, cause=AbortCause.GATE, reason=decision.reason, by="gate")
            return

        def decide(stored: ExperimentRun) -> Change | None:
            at = from_iso(decision.decided_at)
            if stored.state not in UNDER_FAULT or _later(stored.gate_checked_at, at):
                return None
            fresh = gate.fresh_until(decision)
            return Change(replace(stored, decision=decision, gate_checked_at=at, gate_fresh_until=fresh))

        self.publish_phase(self.change(run.run_id, decide))


def _later(asked: datetime | None, at: datetime) -> bool:
    return asked is not None and asked > at
