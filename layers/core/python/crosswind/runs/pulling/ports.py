"""What pulling needs from outside. Every method may raise ThrottledError or DependencyError."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from crosswind.runs.model import Work
from crosswind.runs.pulling.model import Batch, PullHead


class PullStore(Protocol):
    """Heads and batches of the runs' work lists. A batch belongs to the shard that leased it (ADR 0002)."""

    def heads(self, run_id: str, pull_id: str, *, stripes: Sequence[int]) -> tuple[PullHead, ...]:
        """Heads of stripes, as asked for, read consistently; fresh ones where nobody has pulled yet."""
        ...

    def held(self, run_id: str, pull_id: str, work_id: str) -> Batch | None:
        """The batch that a shard holds or left behind, read consistently. A shard has one at most."""
        ...

    def leased(self, run_id: str, pull_id: str, *, limit: int | None = None) -> Iterator[Batch]:
        """Batches that shards hold or left behind, by work id, read consistently; the first ones where there is a limit."""
        ...

    def lost(self, run_id: str, pull_id: str) -> tuple[Batch, ...]:
        """Batches that were given up."""
        ...

    def committed(self, run_id: str, pull_id: str, work_id: str | None = None) -> Iterator[Batch]:
        """Batches that are done: of one shard over all its attempts, or of all; by work id, stripe and number."""
        ...

    def lease(self, head: PullHead, batch: Batch, *, holder: Work) -> None:
        """Store the leased batch together with the head that has moved on, while the holder is leased under its epoch.

        Raises LeaseLostError when it is not, WriteConflictError when it has a batch or the head has not the version of
        `head` any more.
        """
        ...

    def commit(self, batch: Batch, *, holder: Work) -> Batch:
        """Store a batch as done, while the holder holds it and is leased under its epoch. Safe to repeat.

        Returns the batch as it was committed first. Raises LeaseLostError.
        """
        ...

    def give_back(self, head: PullHead, batch: Batch) -> None:
        """Take a lapsed batch from its holder and store the head that has it among the returned.

        Raises WriteConflictError when the head has moved, or when the holder has not this batch any more.
        """
        ...

    def give_up(self, batch: Batch) -> None:
        """Take a lapsed batch from its holder for good. Raises WriteConflictError when the holder has it no more."""
        ...
