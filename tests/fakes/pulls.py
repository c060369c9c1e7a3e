"""Work lists in memory, over the work items that say who is leased."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs.model import Work, WorkState
from crosswind.runs.ports import WorkStore
from crosswind.runs.pulling.model import Batch, BatchState, PullHead

Place = tuple[str, str]


class MemoryPullStore:
    """PullStore in memory. `batches` is open to a test that wants to look: those that are leased, done or lost."""

    def __init__(self, works: WorkStore) -> None:
        self.works = works
        self.batches: list[Batch] = []
        self._heads: dict[tuple[str, str, int], PullHead] = {}

    def heads(self, run_id: str, pull_id: str, *, stripes: Sequence[int]) -> tuple[PullHead, ...]:
        return tuple(
            self._heads.get((run_id, pull_id, stripe))
            or PullHead(run_id=run_id, pull_id=pull_id, stripe=stripe)
            for stripe in stripes
        )

    def held(self, run_id: str, pull_id: str, work_id: str) -> Batch | None:
        return next((batch for batch in self.leased(run_id, pull_id) if batch.work_id == work_id), None)

    def leased(self, run_id: str, pull_id: str, *, limit: int | None = None) -> Iterator[Batch]:
        return iter(self._of((run_id, pull_id), BatchState.LEASED)[:limit])

    def lost(self, run_id: str, pull_id: str) -> tuple[Batch, ...]:
        found = self._of((run_id, pull_id), BatchState.LOST)
        return tuple(sorted(found, key=lambda batch: (batch.stripe, batch.number)))

    def committed(self, run_id: str, pull_id: str, work_id: str | None = None) -> Iterator[Batch]:
        found = self._of((run_id, pull_id), BatchState.DONE)
        return iter([batch for batch in found if work_id in {None, batch.work_id}])

    def lease(self, head: PullHead, batch: Batch, *, holder: Work) -> None:
        self._check_lease(holder)
        if self.held(batch.run_id, batch.pull_id, batch.work_id) is not None:
            raise WriteConflictError(f"{batch.work_id} has a batch")
        self._move_head(head)
        self.batches.append(batch)

    def commit(self, batch: Batch, *, holder: Work) -> Batch:
        for earlier in self.committed(batch.run_id, batch.pull_id, batch.work_id):
            if _lease_of(earlier) == _lease_of(batch):
                return earlier
        self._check_lease(holder)
        try:
            self.batches.remove(self._stored(batch))
        except WriteConflictError as gone:
            raise LeaseLostError(str(gone)) from gone
        self.batches.append(batch)
        return batch

    def give_back(self, head: PullHead, batch: Batch) -> None:
        stored = self._stored(batch)
        self._move_head(head)
        self.batches.remove(stored)

    def give_up(self, batch: Batch) -> None:
        self.batches.remove(self._stored(batch))
        self.batches.append(batch)

    def _of(self, place: Place, state: BatchState) -> list[Batch]:
        found = [
            batch for batch in self.batches if (batch.run_id, batch.pull_id) == place and batch.state is state
        ]
        return sorted(found, key=lambda batch: (batch.work_id, batch.stripe, batch.number))

    def _stored(self, batch: Batch) -> Batch:
        stored = self.held(batch.run_id, batch.pull_id, batch.work_id)
        if stored is None or _lease_of(stored) != _lease_of(batch):
            raise WriteConflictError(f"{batch.work_id} has not batch {batch.number} any more")
        return stored

    def _move_head(self, head: PullHead) -> None:
        (stored,) = self.heads(head.run_id, head.pull_id, stripes=(head.stripe,))
        if stored.version != head.version:
            raise WriteConflictError(f"the head of {head.pull_id} has moved")
        self._heads[head.run_id, head.pull_id, head.stripe] = replace(head, version=head.version + 1)

    def _check_lease(self, holder: Work) -> None:
        stored = self.works.get(holder.key)
        if stored is None or stored.state is not WorkState.LEASED or stored.epoch != holder.epoch:
            raise LeaseLostError(f"{holder.key.work_id} is not leased under epoch {holder.epoch} any more")


def _lease_of(batch: Batch) -> tuple[int, int, int]:
    return batch.stripe, batch.number, batch.epoch
