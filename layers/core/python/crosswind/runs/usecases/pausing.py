"""Pausing: a run admits nothing more, or a team does, until somebody lets it go on. What runs, runs on."""

from dataclasses import dataclass, replace
from datetime import timedelta

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.requests import RunState
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs import lifecycle
from crosswind.runs.admission.ports import QueueStore
from crosswind.runs.model import Run
from crosswind.runs.ports import Queues, RunStore
from crosswind.runs.usecases.reading import FindRun

_OUTLIVES_RUN = timedelta(days=1)


@dataclass(frozen=True)
class PauseRun:
    """Admit nothing more of a run. Its time goes on: a paused run ends at its timeout as any other."""

    runs: RunStore
    find: FindRun
    queue: QueueStore
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str, actor: Actor) -> Run:
        """The run. Repeating it is no error, and marks the queue again should that have failed.

        Raises:
            NotFoundError: There is no such run, or none that the actor may know of.
            ForbiddenError: The actor may not pause runs of this team.
            ConflictError: The run has ended, or is being cancelled.
        """
        run = retry_conflicts(lambda: self._record(run_id, actor), pause=self.pause)
        self.queue.pause_run(run_id, until=lifecycle.deadline(run) + _OUTLIVES_RUN)
        return run

    def _record(self, run_id: str, actor: Actor) -> Run:
        run = self.find(run_id, actor=actor, action=Action.PAUSE_RUNS)
        if run.state is RunState.FINISHED or run.cancel_requested_at is not None:
            raise ConflictError("the run has ended, or is being cancelled: there is nothing to pause")
        if run.paused_at is not None:
            return run
        return self.runs.save(replace(run, paused_at=self.clock.now(), paused_by=actor.subject))


@dataclass(frozen=True)
class ResumeRun:
    """Let a paused run go on."""

    runs: RunStore
    find: FindRun
    queue: QueueStore
    queues: Queues
    pause: Pause

    def __call__(self, run_id: str, actor: Actor) -> Run:
        """The run. Repeating it is no error.

        Raises:
            NotFoundError: There is no such run, or none that the actor may know of.
            ForbiddenError: The actor may not resume runs of this team.
        """
        run = retry_conflicts(lambda: self._record(run_id, actor), pause=self.pause)
        self.queue.resume_run(run_id)
        self.queues.wake_scheduler()
        return run

    def _record(self, run_id: str, actor: Actor) -> Run:
        run = self.find(run_id, actor=actor, action=Action.PAUSE_RUNS)
        if run.paused_at is None or run.state is RunState.FINISHED:
            return run
        return self.runs.save(replace(run, paused_at=None, paused_by=None))
