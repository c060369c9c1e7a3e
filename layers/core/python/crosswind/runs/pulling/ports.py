"""What pulling needs from outside. Every method may raise ThrottledError or DependencyError."""

from collections.abc import Iterator
from typing import Protocol

from crosswind.runs.model import Work
from crosswind.runs.pulling.model import Batch, PullHead


class PullStore(Protocol):
    """Batches of the runs' work lists. A batch belongs to the shard that leased it (ADR 0002)."""

    def head(self, run_id: str, pull_id: str) -> PullHead:
        """The head of a list, read consistently; a fresh one where nobody has pulled yet."""
        ...

    def lease(self, head: PullHead, batch: Batch, *, holder: Work) -> PullHead:
        """Store the leased batch and move the head on, in one transaction, while the holder is leased under its epoch.

        Raises WriteConflictError when the head has moved, LeaseLostError when the holder lost its lease.
        """
        ...

    def commit(self, batch: Batch, *, holder: Work) -> Batch:
        """Mark a batch as done, while it is this holder's and the holder is leased under its epoch. Safe to repeat.

        Raises LeaseLostError.
        """
        ...

    def give_back(self, head: PullHead, batch: Batch) -> PullHead:
        """Return a lapsed batch to the list with attempt + 1. Raises WriteConflictError."""
        ...

    def batches(self, run_id: str, pull_id: str) -> Iterator[Batch]:
        """All batches of a list, by number."""
        ...
