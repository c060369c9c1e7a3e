"""A work list in a runner's hands: which units it leases next, and which tests a batch stands for. Pure.

Every lease writes the head of the list, so one head would make a thousand runners wait for each other. A list therefore
has a head for each stripe of it, and a runner a stripe where it begins: its home. Stripes are interleaved, so that each
is given out longest first; a runner whose home is given out goes on at another, so that none ends before the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.contracts.work import PullList, PullUnit
from crosswind.runs.model import Work
from crosswind.runs.pulling import batches
from crosswind.runs.pulling.model import Batch, PullHead
from crosswind.runs.pulling.sizing import Sizing

RUNNERS_PER_STRIPE = 10
"""So many compare and set one head: they seldom lose, also when all begin at once."""


def stripes_for(runners: int) -> int:
    """How many heads a list for so many runners gets."""
    return -(-runners // RUNNERS_PER_STRIPE)


@dataclass(frozen=True, slots=True)
class WorkList:
    """A PullList by stripes, with the sizes of its batches. Made once per attempt."""

    pull_list: PullList
    stripes: tuple[tuple[PullUnit, ...], ...]
    sizings: tuple[Sizing, ...]

    @classmethod
    def of(cls, pull_list: PullList) -> "WorkList":
        """Of a list as it was planned."""
        count = pull_list.stripes
        stripes = tuple(pull_list.units[stripe::count] for stripe in range(count))
        sizings = tuple(Sizing.of(pull_list.model_copy(update={"units": units})) for units in stripes)
        return cls(pull_list, stripes, sizings)

    @property
    def pull_id(self) -> str:
        """Of the list."""
        return self.pull_list.pull_id

    def units(self, batch: Batch) -> tuple[PullUnit, ...]:
        """What is run together, whole, in this order."""
        return self.stripes[batch.stripe][batch.first : batch.first + batch.count]

    def test_ids(self, batch: Batch) -> tuple[str, ...]:
        """All tests of a batch."""
        return tuple(test_id for unit in self.units(batch) for test_id in unit.test_ids)

    def order_of_stripes(self, holder: Work) -> list[int]:
        """Where the holder looks for work: at its home, then at the others, from one that differs among its neighbours."""
        count = len(self.stripes)
        neighbour, home = divmod(int(holder.key.work_id.rpartition("-")[2]), count)
        others = [stripe for stripe in range(count) if stripe != home]
        start = neighbour % max(len(others), 1)
        return [home, *others[start:], *others[:start]]

    def next_batch(self, heads: Sequence[PullHead], holder: Work) -> tuple[PullHead, Batch] | None:
        """The batch that the holder is to lease at one of the heads, and that head afterwards; None when all are empty.

        What came back comes first, as the longest overdue; else what is left at the first of its stripes.
        """
        rank = {stripe: position for position, stripe in enumerate(self.order_of_stripes(holder))}
        heads = sorted(heads, key=lambda head: rank[head.stripe])
        for head in heads:
            if head.returned:
                return batches.lease_returned(head, holder)
        for head in heads:
            units = self.sizings[head.stripe].units(head.next_unit, runners=self._runners_of_stripe())
            if units:
                return batches.lease_next(head, holder, units=units)
        return None

    def _runners_of_stripe(self) -> int:
        return -(-self.pull_list.runners // len(self.stripes))
