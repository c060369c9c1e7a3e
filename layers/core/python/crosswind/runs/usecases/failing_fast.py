"""Carrying fail-fast out: when a shard with failed tests is ingested, and by the watchdog for what slipped through."""

from dataclasses import dataclass
from datetime import timedelta

from crosswind.contracts.requests import RunState
from crosswind.contracts.work import FailFast
from crosswind.kernel.clock import Clock
from crosswind.kernel.retry import Pause
from crosswind.runs import failing_fast
from crosswind.runs.model import Work
from crosswind.runs.ports import RunStore, WorkStore
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.changing import ChangeWork

TIME_FOR_ENDING = timedelta(seconds=30)  # what is left then, the watchdog ends


@dataclass(frozen=True)
class FailRestFast:
    """End the other shards of a job or a stage because tests of one shard have failed."""

    runs: RunStore
    works: WorkStore
    change: ChangeWork
    clock: Clock
    pause: Pause

    def __call__(self, work: Work, mode: FailFast) -> int:
        """How many shards were ended here. Of many failing shards the first one looks for the others; safe to repeat."""
        run = documents.change_run(
            self.runs,
            work.key.run_id,
            lambda stored: (
                stored if stored.state is RunState.FINISHED else failing_fast.started_by(stored, mode, work)
            ),
            pause=self.pause,
        )
        ended = failing_fast.scope(mode, stage=work.stage, test=work.test)
        if run.failed_fast.get(ended) != work.key.work_id:
            return 0
        until = self.clock.now() + TIME_FOR_ENDING
        return self.change.all(
            self.works.of_run(work.key.run_id),
            lambda other: failing_fast.end(run, other, now=self.clock.now()),
            go_on=lambda: self.clock.now() < until,
        )
