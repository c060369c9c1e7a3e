"""Ending a run before its time."""

from dataclasses import dataclass, replace
from datetime import timedelta

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.requests import RunState
from crosswind.kernel.clock import Clock
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs import lifecycle, protocol
from crosswind.runs.effects import Closed
from crosswind.runs.model import Run
from crosswind.runs.ports import RunStore, WorkStore
from crosswind.runs.usecases.changing import ChangeWork
from crosswind.runs.usecases.reading import FindRun

TIME_FOR_CANCELLING = timedelta(seconds=10)  # of an API call; what is left, the watchdog cancels


@dataclass(frozen=True)
class EndWork:
    """End all work of a run that takes no more."""

    works: WorkStore
    change: ChangeWork
    clock: Clock

    def __call__(self, run_id: str, closed: Closed, *, within: timedelta) -> int:
        """How many items were ended here."""
        until = self.clock.now() + within
        return self.change.all(
            self.works.of_run(run_id),
            lambda work: protocol.close(work, closed, now=self.clock.now()),
            go_on=lambda: self.clock.now() < until,
        )


@dataclass(frozen=True)
class CancelRun:
    """Cancel a run: record the intent, then end its work, so that it still folds, judges and publishes."""

    runs: RunStore
    find: FindRun
    end_work: EndWork
    clock: Clock
    pause: Pause

    def __call__(self, run_id: str, actor: Actor) -> Run:
        """The run. Repeating it is no error, and a finished run stays as it is.

        Raises:
            NotFoundError: There is no such run, or none that the actor may know of.
            ForbiddenError: The actor may not cancel runs of this team.
        """
        run = retry_conflicts(lambda: self._record(run_id, actor), pause=self.pause)
        closed = lifecycle.closed(run, self.clock.now())
        if run.state is not RunState.FINISHED and closed is not None:
            self.end_work(run_id, closed, within=TIME_FOR_CANCELLING)
        return run

    def _record(self, run_id: str, actor: Actor) -> Run:
        run = self.find(run_id, actor=actor, action=Action.CANCEL_RUNS)
        if run.state is RunState.FINISHED or run.cancel_requested_at is not None:
            return run
        return self.runs.save(replace(run, cancel_requested_at=self.clock.now(), cancelled_by=actor.subject))
