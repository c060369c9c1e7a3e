"""What a worker of a load job does at the job's barrier. Each call is short and safe to repeat; waiting is the runner's."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswind.contracts.load import LoadOrder
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import WriteConflictError
from crosswind.runs.load.barrier import SAY_AGAIN, Decision, Start, Stop, decide
from crosswind.runs.load.ports import BarrierStore
from crosswind.runs.model import Work


@dataclass(frozen=True)
class JoinBarrier:
    """Be there, be ready, look for the decision, and make it where it is due."""

    barriers: BarrierStore
    clock: Clock

    def open(self, work: Work, load: LoadOrder) -> Decision | None:
        """This worker is there: from the first one on `readyWithin` counts. Returns what was decided before it came."""
        self.barriers.open(work.key.run_id, load.group, at=self.clock.now())
        return self.barriers.get(work.key.run_id, load.group).decision

    def say_ready(self, work: Work, load: LoadOrder, *, said_at: datetime | None) -> datetime:
        """Say that this worker is ready, if that was not said just now. Returns when it was said last.

        Raises LeaseLostError.
        """
        now = self.clock.now()
        if said_at is not None and now - said_at < SAY_AGAIN:
            return said_at
        self.barriers.say_ready(load.group, holder=work, at=now)
        return now

    def look(self, work: Work, load: LoadOrder) -> Decision | None:
        """The decision, once there is one."""
        run_id = work.key.run_id
        barrier = self.barriers.get(run_id, load.group)
        within = timedelta(seconds=load.ready_within_seconds)
        due = decide(barrier, load.workers, within=within, now=self.clock.now())
        if due is None:
            return barrier.decision
        with suppress(WriteConflictError):  # somebody else decided, or a worker has lost its lease meanwhile
            if isinstance(due, Start):
                self.barriers.start(run_id, load.group, due)
            else:
                self.barriers.stop(run_id, load.group, due)
            return due
        return self.barriers.get(run_id, load.group).decision

    def refuse(self, work: Work, load: LoadOrder, *, reason: str) -> None:
        """This worker cannot send any load, so none shall begin."""
        with suppress(WriteConflictError):
            self.barriers.stop(work.key.run_id, load.group, Stop(reason, self.clock.now()))
