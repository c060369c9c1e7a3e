"""Refusing more work while the queue holds as much as the stage allows."""

from dataclasses import dataclass

from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import QueueFullError
from crosswind.runs.admission.backpressure import retry_after_seconds
from crosswind.runs.admission.ports import QueueStore


@dataclass(frozen=True)
class RefuseWhenFull:
    """Asked before a run is submitted or run again."""

    queue: QueueStore
    limit: int
    clock: Clock

    def __call__(self) -> None:
        """Raises QueueFullError, with the time after which another try makes sense."""
        if self.queue.waiting_count(at_most=self.limit) < self.limit:
            return
        raise QueueFullError(
            f"{self.limit} shards wait already",
            retry_after_seconds=retry_after_seconds(
                self.queue.active(), limit=self.limit, now=self.clock.now()
            ),
        )
