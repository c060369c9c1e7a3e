"""Closing a run in a worker, without an execution: what its state machine would have done from here on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from crosswind.contracts.tasks import StateError
from crosswind.contracts.work import WorkKind, WorkOutcome
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import CrosswindError, TerminalError
from crosswind.runs import lifecycle
from crosswind.runs.model import Work
from crosswind.runs.ports import RunStore, WorkStore
from crosswind.runs.usecases.closing import PublishRun, RecordFailure
from crosswind.runs.usecases.ingesting import IngestShard
from crosswind.runs.usecases.judging import FoldRun, JudgeRun

TIME_FOR_INGESTING = timedelta(seconds=30)  # of a worker's two minutes; the next turn goes on

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishRun:
    """Ingest what was committed and never read, so that no result is lost; then fold, judge and publish."""

    runs: RunStore
    works: WorkStore
    ingest: IngestShard
    fold: FoldRun
    judge: JudgeRun
    publish: PublishRun
    record_failure: RecordFailure
    clock: Clock

    def __call__(self, run_id: str, *, at_last: bool) -> bool:
        """Whether the run is finished now. Safe to repeat; every shard that was read stays read.

        False: there was not time enough to read all; call again. With `at_last` the run is finished all the same, and
        what is still unread is a fault of it. What folding or judging gave up on is recorded as the machine would do.
        A run over which workers die is published in the end without more ado: unjudged, which is an error.
        """
        if lifecycle.hopeless(self.runs.get(run_id), self.clock.now()):
            self.publish(run_id)
            return True
        if not self._ingest(run_id) and not at_last:
            return False
        self._carry_out(self.fold, run_id, state="FoldResults", at_last=at_last)
        self._carry_out(self.judge, run_id, state="JudgeRun", at_last=at_last)
        self.publish(run_id)
        return True

    def _carry_out(self, step: Callable[[str], object], run_id: str, *, state: str, at_last: bool) -> None:
        """Carry a step out. One that no retry mends, such as over objects that expired, must not keep the run open."""
        try:
            step(run_id)
        except Exception as error:  # at last, whatever it is: a run may not wait for ever
            if not at_last and not isinstance(error, TerminalError):
                raise
            _log.exception("%s of %s gave up", state, run_id)
            gave_up = StateError(error=type(error).__name__, cause=str(error))
            self.record_failure(run_id, state=state, failure=gave_up, ticket=None)

    def _ingest(self, run_id: str) -> bool:
        """Whether all were tried. A shard that cannot be read is left to folding, which says so."""
        until = self.clock.now() + TIME_FOR_INGESTING
        for work in self.works.of_run(run_id):
            if not _is_unread(work):
                continue
            if self.clock.now() >= until:
                return False
            try:
                self.ingest(run_id, work.key.work_id)
            except CrosswindError:
                _log.exception("%s of %s was not ingested", work.key.work_id, run_id)
        return True


def _is_unread(work: Work) -> bool:
    """A shard that pulls leaves results also where it was given up: those of the batches that it committed.

    A worker of a load job may be the last one to be read, and then all of them are judged.
    """
    if work.kind is not WorkKind.SHARD or work.commit is None or work.summary is not None:
        return False
    reads_any_end = work.pull_id is not None or work.group is not None
    return reads_any_end or work.commit.outcome is WorkOutcome.COMPLETED
