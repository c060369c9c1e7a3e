"""Stores in memory into which somebody else writes at the wrong moment."""

from collections.abc import Callable, Sequence

from crosswind.kernel.errors import DependencyError
from crosswind.runs.admission.model import Account
from crosswind.runs.model import Work
from crosswind.runs.pulling.model import Batch, PullHead
from tests.fakes import (
    MemoryPullStore,
    MemoryQueueStore,
    MemoryWorkStore,
)


class CrashError(DependencyError):
    """The process ended between a write and its effects."""


class BusyWorkStore(MemoryWorkStore):
    """Lets another writer in just before a write."""

    def __init__(self, queue: MemoryQueueStore) -> None:
        super().__init__(queue)
        self.meanwhile: Callable[[], object] | None = None

    def save(self, before: Work | None, after: Work) -> Work:
        self.let_others_in()
        return super().save(before, after)

    def admit_all(
        self, pairs: Sequence[tuple[Work, Work]], *, fence: int, account: Account | None = None
    ) -> tuple[Work, ...]:
        self.let_others_in()
        return super().admit_all(pairs, fence=fence, account=account)

    def let_others_in(self) -> None:
        """Once, if there is somebody."""
        action, self.meanwhile = self.meanwhile, None
        if action is not None:
            action()


class BusyPullStore(MemoryPullStore):
    """Lets another writer in just before a write, and can lose the answer to the next one."""

    def __init__(self, works: BusyWorkStore) -> None:
        super().__init__(works)
        self.busy = works
        self.answer_is_lost = False

    def lease(self, head: PullHead, batch: Batch, *, holder: Work) -> None:
        self.busy.let_others_in()
        super().lease(head, batch, holder=holder)
        self._answer()

    def commit(self, batch: Batch, *, holder: Work) -> Batch:
        self.busy.let_others_in()
        committed = super().commit(batch, holder=holder)
        self._answer()
        return committed

    def give_back(self, head: PullHead, batch: Batch) -> None:
        self.busy.let_others_in()
        super().give_back(head, batch)
        self._answer()

    def _answer(self) -> None:
        lost, self.answer_is_lost = self.answer_is_lost, False
        if lost:
            raise CrashError("written, but nobody knows")
