"""The reaper: what the engine would have done, when the engine, its Lambda, its machine or its monitor is gone."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswind.chaos.engine import liveness
from crosswind.chaos.engine.liveness import Stranded
from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.ports import ChaosQueues, ExperimentRunStore, Monitors, MonitorState
from crosswind.chaos.usecases.recording import UNSTARTED, PublishEvents, RecordAbort
from crosswind.chaos.usecases.recovering import Recover
from crosswind.contracts.chaos.lifecycle import AbortCause, RunState
from crosswind.contracts.chaos.tasks import Next, ReapAnswer
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import NotFoundError

REAPER = "reaper"
TIME_FOR_A_ROUND = timedelta(seconds=200)  # of the Lambda's 300
UNDONE_WITHIN = timedelta(seconds=40)
UNWATCHED_AFTER = timedelta(seconds=45)

_log = logging.getLogger(__name__)

Analyze = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Reaped:
    """What became of a run: whether anything was to be done, and whether it is proven undone."""

    acted: bool
    verified: bool = True


@dataclass(frozen=True)
class ReapRun:
    """Look at one run; where nobody acts on it, abort, undo and analyse it. Safe beside an engine that is only slow."""

    runs: ExperimentRunStore
    monitors: Monitors
    recover: Recover
    analyze: Analyze
    clock: Clock

    def __call__(self, run_id: str) -> Reaped:
        """Called by the dead-man schedule, by the watch, and each minute. Raises RetryableError."""
        run = self.runs.get(run_id)
        monitor = None if run.state in UNSTARTED else self.monitors.watch(run_id)
        return self.judged(run, monitor)

    def judged(self, run: ExperimentRun, monitor: MonitorState | None) -> Reaped:
        """The same, where the caller has just read both."""
        found = liveness.stranded(run, monitor, now=self.clock.now())
        return Reaped(acted=False) if found is None else self.act(run, found)

    def act(self, run: ExperimentRun, found: Stranded) -> Reaped:
        """Undo it, and analyse it when the monitor has nothing more to see."""
        _log.warning("%s is %s and stranded: %s", run.run_id, run.state.value, found.reason)
        answer = self.recover(
            run.run_id, cause=found.cause, reason=found.reason, by=REAPER, within=UNDONE_WITHIN
        )
        if answer.next is Next.UNVERIFIED:
            return Reaped(acted=True, verified=False)
        if answer.ticket is None or self._is_late(run):
            self.analyze(run.run_id)
        return Reaped(acted=True)

    def _is_late(self, run: ExperimentRun) -> bool:
        """A monitor that is still there long after the end of the run is not waited for."""
        return run.deadline is not None and self.clock.now() >= run.deadline + liveness.TASK_ENDS_WITHIN


@dataclass(frozen=True)
class ReapAll:
    """The backstop of every minute: every run that is not analysed is looked at, and its watch is armed again."""

    runs: ExperimentRunStore
    queues: ChaosQueues
    reap: ReapRun
    publish_events: PublishEvents
    clock: Clock

    def __call__(self, run_id: str | None = None) -> ReapAnswer:
        """One run's fault does not keep the others waiting."""
        self.publish_events()
        until = self.clock.now() + TIME_FOR_A_ROUND
        looked_at = undone = unverified = 0
        for run in self._wanted(run_id):
            if self.clock.now() >= until:
                break
            looked_at += 1
            reaped = self._reap(run)
            undone += reaped.acted and reaped.verified
            unverified += not reaped.verified
        self.publish_events()
        return ReapAnswer(looked_at=looked_at, undone=undone, unverified=unverified)

    def _wanted(self, run_id: str | None) -> list[ExperimentRun]:
        if run_id is None:
            return list(self.runs.unfinished())
        try:
            return [self.runs.get(run_id)]
        except NotFoundError:
            _log.warning("run %s is gone", run_id)
            return []

    def _reap(self, run: ExperimentRun) -> Reaped:
        try:
            if _needs_watch(run, self.clock.now()):
                self.queues.watch(run.run_id, delay_seconds=0)
            return self.reap(run.run_id)
        except Exception:  # noqa: BLE001  # also a fault that nobody foresaw is one run's own
            _log.exception("%s could not be looked after", run.run_id)
            return Reaped(acted=False)


@dataclass(frozen=True)
class CloseUnstarted:
    """End a run that no execution is in: it was aborted while it was scheduled or blocked, and nothing was injected."""

    runs: ExperimentRunStore
    recover: Recover
    analyze: Analyze

    def __call__(self, run_id: str) -> ExperimentRun:
        """The run as it is then. Safe to repeat, and beside an execution that begins."""
        run = self.runs.get(run_id)
        if run.abort is not None and run.state is not RunState.ANALYZED:
            answer = self.recover(run_id, cause=run.abort.cause, reason=run.abort.reason, by=run.abort.by)
            if answer.next is Next.PROCEED and answer.ticket is None:
                self.analyze(run_id)
        return self.runs.get(run_id)


@dataclass(frozen=True)
class RecordEngineFailure:
    """A state of the machine gave up after its retries: keep why. Recover comes next."""

    record_abort: RecordAbort
    note: Callable[[str, str], None]

    def __call__(self, run_id: str, *, state: str, detail: str) -> ExperimentRun:
        """An abort where the run goes on, a line of the timeline in any case."""
        reason = f"{state} gave up: {detail}"[:1000]
        self.note(run_id, reason)
        return self.record_abort.without_cancel(run_id, cause=AbortCause.ENGINE, reason=reason, by="engine")


def _needs_watch(run: ExperimentRun, now: datetime) -> bool:
    if run.state is RunState.ANALYZED:
        return False
    if run.state is RunState.BLOCKED:
        return run.blocked_until is None or now >= run.blocked_until
    return run.watched_at is None or now - run.watched_at >= UNWATCHED_AFTER
