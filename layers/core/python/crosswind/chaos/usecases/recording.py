"""Changes of a run by compare-and-set: moves, aborts, lines of the timeline; and telling people."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crosswind.chaos import lifecycle
from crosswind.chaos.engine.phases import phase_of
from crosswind.chaos.layout import phase_key
from crosswind.chaos.model import Abort, ExperimentRun, TimelineEvent
from crosswind.chaos.ports import EventBus, ExperimentRunStore, Monitors, Notifier, Objects
from crosswind.chaos.usecases.gating import Asking
from crosswind.contracts.chaos.gate import GateDecision
from crosswind.contracts.chaos.lifecycle import AbortCause, RunState
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.contracts.chaos.spec import Occasion
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError
from crosswind.kernel.retry import Pause, retry_conflicts

ENGINE = "engine"
UNSTARTED = frozenset({RunState.SCHEDULED, RunState.BLOCKED})  # no execution is in it
ABORTABLE = UNSTARTED | {RunState.PREFLIGHT_CHECK, RunState.RUNNING, RunState.MONITORING}

_REASON_CHARACTERS = 1000
_PUBLISH_TRIES = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision makes of a run."""

    run: ExperimentRun
    lines: tuple[TimelineEvent, ...] = ()
    event: DomainEvent | None = None


Decision = Callable[[ExperimentRun], Change | None]
Ask = Callable[[Asking], GateDecision]
"""AskGate: raises RetryableError where its decision could not be kept."""


@dataclass(frozen=True)
class ChangeRun:
    """Apply a pure decision to a stored run; when another writer was quicker, load and decide again."""

    runs: ExperimentRunStore
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str, decide: Decision) -> ExperimentRun:
        """The run as stored afterwards; unchanged where the decision found nothing to do. Raises WriteConflictError."""

        def attempt() -> ExperimentRun:
            run = self.runs.get(run_id)
            change = decide(run)
            if change is None:
                return run
            return self.runs.save(change.run, timeline=change.lines, event=change.event)

        return retry_conflicts(attempt, pause=self.pause)

    def moved(
        self, run: ExperimentRun, to: RunState, *, reason: str, actor: str = ENGINE, **changes: Any
    ) -> Change:
        """The change that a move is. Raises ConflictError where it is illegal."""
        moved = lifecycle.move(
            run, to, now=self.clock.now(), actor=actor, reason=reason[:_REASON_CHARACTERS], **changes
        )
        return Change(moved.run, (moved.line,), moved.event)

    def touch(self, run_id: str) -> ExperimentRun:
        """A sign of the engine's life, so that the watch does not take it for gone."""
        return self(run_id, lambda run: Change(replace(run, moved_at=self.clock.now())))


@dataclass(frozen=True)
class RecordAbort:
    """Record why a run is aborted, before anything is stopped, and make whoever waits for its monitor hear of it.

    The first abort counts. While an execution is in the run its state stays: the machine itself moves on to the
    recovery. Called by people, the halt, the gate, the monitor's breach, the watch and the reaper.
    """

    runs: ExperimentRunStore
    monitors: Monitors
    change: ChangeRun
    clock: Clock

    def __call__(self, run_id: str, *, cause: AbortCause, reason: str, by: str) -> ExperimentRun:
        """Safe to repeat; nothing happens to a run that is over. Raises RetryableError."""
        run = self.without_cancel(run_id, cause=cause, reason=reason, by=by)
        if run.abort is not None and run.state in ABORTABLE - UNSTARTED:
            self.monitors.cancel(run_id, reason=f"the run is aborted: {run.abort.reason}")
        return run

    def without_cancel(self, run_id: str, *, cause: AbortCause, reason: str, by: str) -> ExperimentRun:
        """Record it only: the monitor goes on and sees the steady state come back."""

        def decide(run: ExperimentRun) -> Change | None:
            if run.abort is not None or run.state not in ABORTABLE:
                return None
            now = self.clock.now()
            abort = Abort(cause=cause, reason=reason[:_REASON_CHARACTERS], by=by, at=now)
            line = TimelineEvent(
                at=now,
                kind=TimelineKind.NOTE,
                actor=by,
                text=f"abort ({cause.value}): {abort.reason}"[:_REASON_CHARACTERS],
            )
            return Change(replace(run, abort=abort), (line,))

        return self.change(run_id, decide)


@dataclass(frozen=True)
class PublishPhase:
    """Tell the monitor what the run is doing. Of several writers the last one writes what the record says."""

    runs: ExperimentRunStore
    artifacts: Objects

    def __call__(self, run: ExperimentRun) -> None:
        """Write, and again while the record says something else than what was written."""
        for _ in range(_PUBLISH_TRIES):
            told = phase_of(run)
            self.artifacts.put(
                phase_key(run.run_id), told.to_wire().encode(), content_type="application/json"
            )
            run = self.runs.get(run.run_id)
            if phase_of(run) == told:
                return


@dataclass(frozen=True)
class Tell:
    """Tell people what a spec names for an occasion; operators always hear of what could not be undone."""

    runs: ExperimentRunStore
    notifier: Notifier
    clock: Clock

    def __call__(self, run: ExperimentRun, occasion: Occasion, text: str) -> None:
        """Never raises: who could not be told is a line of the timeline."""
        webhooks = tuple(each.webhook for each in run.spec.notify if occasion in each.on)
        untold = self.notifier.notify(run, occasion.value, text, webhooks=webhooks)
        for line in (f"told: {occasion.value}: {text}", *(f"could not be told: {each}" for each in untold)):
            self.note(run.run_id, line, kind=TimelineKind.NOTIFICATION)

    def note(
        self,
        run_id: str,
        text: str,
        *,
        kind: TimelineKind = TimelineKind.NOTE,
        fault: str | None = None,
        actor: str = ENGINE,
    ) -> None:
        """A line that goes with no move. One that is lost keeps nothing back."""
        line = TimelineEvent(
            at=self.clock.now(), kind=kind, actor=actor, text=text[:_REASON_CHARACTERS], fault=fault
        )
        try:
            self.runs.add_to_timeline(run_id, (line,))
        except CrosswindError:
            _log.warning("a line of the timeline of %s was lost: %s", run_id, text, exc_info=True)


@dataclass(frozen=True)
class PublishEvents:
    """Send what lies in the outbox. An event may be sent twice, and is never lost."""

    runs: ExperimentRunStore
    bus: EventBus

    def __call__(self, *, most: int = 100) -> int:
        """How many were sent. A fault leaves the rest to the next caller."""
        sent = 0
        try:
            for event in self._first(most):
                self.bus.publish((event,))
                self.runs.mark_sent(event.id)
                sent += 1
        except CrosswindError:
            _log.warning("events of the outbox are left for later", exc_info=True)
        return sent

    def _first(self, most: int) -> Sequence[DomainEvent]:
        found = []
        for event in self.runs.unsent_events():
            found.append(event)
            if len(found) >= most:
                break
        return found
