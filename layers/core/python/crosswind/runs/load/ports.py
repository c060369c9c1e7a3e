"""What load tests need from outside. Every method may raise ThrottledError or DependencyError."""

from datetime import datetime
from typing import Protocol

from crosswind.runs.load.barrier import Barrier, Start, Stop
from crosswind.runs.model import Work


class BarrierStore(Protocol):
    """Barriers of load jobs. What a worker says hangs on its own lease (ADR 0002)."""

    def get(self, run_id: str, group: str) -> Barrier:
        """Read consistently; an empty one where nobody was there yet."""
        ...

    def open(self, run_id: str, group: str, *, at: datetime) -> None:
        """Somebody is there. The first one's moment stays."""
        ...

    def say_ready(self, group: str, *, holder: Work, at: datetime) -> None:
        """The holder is ready, under its epoch. Raises LeaseLostError when it holds the lease no more."""
        ...

    def start(self, run_id: str, group: str, start: Start) -> None:
        """Decide to start, while every worker that it names is leased under its epoch.

        Raises WriteConflictError when one is not, or when it was decided before.
        """
        ...

    def stop(self, run_id: str, group: str, stop: Stop) -> None:
        """Decide to stop. Raises WriteConflictError when it was decided before."""
        ...

    def claim_judging(self, run_id: str, group: str, work_id: str) -> str:
        """The work id of the shard whose ingestion merges the job's results: the first that asked."""
        ...
