"""Bringing back runs whose execution ended before they were finished. Executions are disposable, commits are the truth."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Protocol

from crosswind.contracts.requests import RunState
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import WorkOutcome
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError, NotFoundError
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs import layout, lifecycle
from crosswind.runs.effects import Closed
from crosswind.runs.model import MAX_RECOVERIES, Run, RunFailure
from crosswind.runs.ports import EventBus, Executions, ExecutionStatus, ObjectStore, Queues, RunStore
from crosswind.runs.usecases.cancelling import EndWork

UNWATCHED_AFTER = timedelta(seconds=60)
CHECKS_PER_SWEEP = 50  # DescribeExecution allows some ten a second
EVENTS_PER_SWEEP = 500
TIME_FOR_ENDING = timedelta(seconds=60)
_LARGEST_INPUT = 1_000_000

_log = logging.getLogger(__name__)


class Recovery(StrEnum):
    """What became of a look at a run's execution."""

    NOTHING = "nothing"  # it is finished, or its execution runs
    STARTED = "started"  # an execution was started
    CLOSING = "closing"  # the run is being closed without one: call again
    CLOSED = "closed"  # the run was closed without one


class CloseRun(Protocol):
    """Ingest, fold, judge and publish a run here and now, without an execution. Safe to repeat."""

    def __call__(self, run_id: str, *, at_last: bool) -> bool:
        """Whether it is finished; `at_last` finishes it with what is known."""
        ...


@dataclass(frozen=True)
class RecoverRun:
    """Look at a run's execution: where it ended too early, start the next one; after too many, close the run."""

    runs: RunStore
    executions: Executions
    artifacts: ObjectStore
    end_work: EndWork
    close_run: CloseRun
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str) -> Recovery:
        """Safe to repeat and to call twice at once: the execution's name is recorded before it is started."""
        run = self.runs.get(run_id)
        if run.state is RunState.FINISHED:
            return Recovery.NOTHING
        name = lifecycle.current_execution(run)
        status = self.executions.status(name)
        if lifecycle.overdue(run, self.clock.now()):
            if status is ExecutionStatus.RUNNING:
                self.executions.stop(name, cause="the run was not closed in time")
            return self._close(run, "the run was not closed in time")
        if status is ExecutionStatus.RUNNING:
            return Recovery.NOTHING
        if status is not ExecutionStatus.UNKNOWN and run.recoveries >= MAX_RECOVERIES:
            return self._close(run, f"its execution ended early, and so did {run.recoveries} recoveries")
        return self._start(run, name, status)

    def _start(self, run: Run, name: str, status: ExecutionStatus) -> Recovery:
        try:
            payload = self._input_of(run)
        except NotFoundError:
            return self._close(run, "the input of its execution is gone")
        if (
            status is not ExecutionStatus.UNKNOWN
        ):  # a name that was recorded and never started is used as it is
            taken = retry_conflicts(lambda: self._record_next(run.run_id, name), pause=self.pause)
            if taken is None:
                return Recovery.NOTHING
            name = taken
        self.executions.start(name, payload)
        _log.warning("execution %s carries run %s on", name, run.run_id)
        return Recovery.STARTED

    def _record_next(self, run_id: str, ended: str) -> str | None:
        run = self.runs.get(run_id)
        if run.state is RunState.FINISHED or lifecycle.current_execution(run) != ended:
            return None
        name = lifecycle.recovery_execution(run)
        self.runs.save(replace(run, execution=name, recoveries=run.recoveries + 1))
        return name

    def _input_of(self, run: Run) -> RunExecutionInput:
        """What the execution was started with. A rerun prepares nothing: it runs what the first round prepared."""
        if run.round > 1:
            return RunExecutionInput(run_id=run.run_id, preparations=())
        text = self.artifacts.get(layout.execution_input_key(run.run_id), limit_bytes=_LARGEST_INPUT)
        return RunExecutionInput.model_validate_json(text)

    def _close(self, run: Run, why: str) -> Recovery:
        now = self.clock.now()
        self.end_work(
            run.run_id,
            lifecycle.closed(run, now) or Closed(WorkOutcome.ERROR, why),
            within=TIME_FOR_ENDING,
        )
        if run.cancel_requested_at is None:
            retry_conflicts(lambda: self._record_failure(run.run_id, why, now), pause=self.pause)
        if not self.close_run(run.run_id, at_last=lifecycle.long_overdue(run, now)):
            return Recovery.CLOSING
        _log.error("run %s was closed without an execution: %s", run.run_id, why)
        return Recovery.CLOSED

    def _record_failure(self, run_id: str, why: str, now: datetime) -> None:
        run = self.runs.get(run_id)
        failure = RunFailure(state="Recovery", kind="infrastructure", detail=why, at=now)
        changed = lifecycle.with_failure(run, failure)
        if changed is not run and run.state is not RunState.FINISHED:
            self.runs.save(changed)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did."""

    rearmed: int
    recovered: int
    sent: int


@dataclass(frozen=True)
class SweepRuns:
    """The backstop behind every message that may be lost. Runs each minute, and when the embedded cloud comes up."""

    runs: RunStore
    queues: Queues
    bus: EventBus
    recover: RecoverRun
    clock: Clock

    def __call__(self) -> Swept:
        """Re-arm watchdogs, send what is left in the outbox, recover runs whose execution ended.

        Recovery comes last: over one that takes all of a worker's time, the others are not forgotten.
        """
        runs = sorted(self.runs.unfinished(), key=lambda run: run.run_id)
        unwatched = [run for run in runs if self._is_unwatched(run)]
        for run in unwatched:
            self.queues.watch(run.run_id, delay=timedelta())
        sent = self._send_events()
        recovered = sum(self._recover(run.run_id) for run in self._to_check(runs, unwatched))
        return Swept(rearmed=len(unwatched), recovered=recovered, sent=sent)

    def _is_unwatched(self, run: Run) -> bool:
        return self.clock.now() - (run.watched_at or run.created_at) >= UNWATCHED_AFTER

    def _to_check(self, runs: list[Run], unwatched: list[Run]) -> Iterator[Run]:
        """Those that nobody watches first, then a part of the others that moves on from minute to minute."""
        first = {run.run_id for run in unwatched}
        others = [run for run in runs if run.run_id not in first]
        room = max(CHECKS_PER_SWEEP - len(unwatched), 1)
        start = int(self.clock.now().timestamp() // 60) * room % len(others) if others else 0
        return islice((*unwatched, *others[start:], *others[:start]), CHECKS_PER_SWEEP)

    def _recover(self, run_id: str) -> bool:
        try:
            return self.recover(run_id) is not Recovery.NOTHING
        except CrosswindError:
            _log.exception("run %s could not be recovered", run_id)
            return False

    def _send_events(self) -> int:
        sent = 0
        try:
            for event in islice(self.runs.unsent_events(), EVENTS_PER_SWEEP):
                self.bus.publish([event])
                self.runs.mark_sent(event.id)
                sent += 1
        except CrosswindError:
            _log.exception("the outbox could not be emptied; the next sweep goes on")
        return sent
