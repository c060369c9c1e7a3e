"""Values of a run's work lists.

A list (PullList) is an immutable object, the longest unit first. It is given out in batches: a batch is a lease of some of
its units to a shard and lives as long as the shard's own lease. Each unit is at every moment in exactly one place: not
given out yet (behind its head), in a batch that a shard holds, in one that came back, in one that is done, or in one that
was given up. What moves it moves it in one transaction: that is why nothing runs to a counted end twice.
"""

from dataclasses import dataclass
from enum import StrEnum


class BatchState(StrEnum):
    """States of a batch. One that came back is leased again under the same number and attempt + 1."""

    LEASED = "leased"
    RETURNED = "returned"
    DONE = "done"
    LOST = "lost"  # its runners were lost again and again: nobody gets it any more, its tests stay without a record


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Units `first` to `first + count` of a stripe, and whose they are."""

    run_id: str
    pull_id: str
    stripe: int = 0
    number: int  # in its stripe
    first: int
    count: int
    attempt: int  # 1-based; grows whenever the batch comes back
    losses: int = (
        0  # how often it came back because a runner was lost with it; hand-backs and preemptions do not count
    )
    state: BatchState
    work_id: str  # the shard that has or had it
    work_attempt: int = 1  # of that shard when it leased the batch
    epoch: int  # of that shard when it leased the batch
    prefix: str  # where that attempt of the shard uploads
    failed: tuple[str, ...] = ()  # of a done one: tests to run again while the retry budget lasts, bounded
    failed_count: int = 0  # how many there were before the bound


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedBatch:
    """A batch that came back, as its head keeps it. `attempt` is the next one's."""

    number: int
    first: int
    count: int
    attempt: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PullHead:
    """How far a stripe of a list is given out, and what came back, in the order of its return."""

    run_id: str
    pull_id: str
    stripe: int = 0
    next_unit: int = 0
    next_number: int = 0
    returned: tuple[ReturnedBatch, ...] = ()
    version: int = 0  # of the stored item; 0 before anybody has pulled
