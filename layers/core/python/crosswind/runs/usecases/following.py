"""Telling the world that a stage with an experiment beside it has begun or ended, until the experiment has followed."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.kernel.clock import Clock
from crosswind.kernel.retry import Pause
from crosswind.runs import beside
from crosswind.runs.model import Run, Work
from crosswind.runs.ports import EventBus, RunStore
from crosswind.runs.usecases import documents


@dataclass(frozen=True)
class FollowBeside:
    """At each turn of a run's watchdog: note that its stage has begun, and tell of it while the experiment is to run."""

    runs: RunStore
    bus: EventBus
    clock: Clock
    pause: Pause

    def __call__(self, run: Run, works: Sequence[Work]) -> Run:
        """The run as stored afterwards. Raises RetryableError; the next turn tells again."""
        if not beside.is_open(run) or run.current_stage is None:
            return run
        run = documents.change_run(
            self.runs,
            run.run_id,
            lambda stored: beside.begun(stored, works, now=self.clock.now()),
            pause=self.pause,
        )
        for record in run.beside:
            if record.round != run.round or beside.is_settled(record):
                continue
            if record.ended_at is not None or beside.is_due(record, self.clock.now()):
                self.bus.publish([beside.stage_moved(run, record, now=self.clock.now())])
        return run


@dataclass(frozen=True)
class EndBeside:
    """Note that a stage has ended, and tell of it, so that the experiment beside it is stopped. Safe to repeat."""

    runs: RunStore
    bus: EventBus
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str, stage: int) -> Run:
        """The run as stored afterwards."""
        run = self.runs.get(run_id)
        if beside.of_stage(run, stage) is None:
            return run
        run = documents.change_run(
            self.runs,
            run_id,
            lambda stored: beside.ended(stored, stage, now=self.clock.now()),
            pause=self.pause,
        )
        record = beside.of_stage(run, stage)
        if record is not None and not beside.is_settled(record):
            self.bus.publish([beside.stage_moved(run, record, now=self.clock.now())])
        return run
