"""Values of a run's work lists.

A list (PullList) is an immutable object, the longest unit first. Its head says how far it is given out and which batches
came back. A batch is a lease of some of its units to a shard; it lives as long as the shard's own lease.
"""

from dataclasses import dataclass
from enum import StrEnum


class BatchState(StrEnum):
    """States of a batch. A batch that came back is leased again under the same number and attempt + 1."""

    LEASED = "leased"
    RETURNED = "returned"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Units `first` to `first + count` of a list, and whose they are."""

    run_id: str
    pull_id: str
    number: int
    first: int
    count: int
    attempt: int
    state: BatchState
    work_id: str  # the shard that has or had it
    epoch: int  # of that shard when it leased the batch
    prefix: str  # where that attempt of the shard uploads
    failed: tuple[str, ...] = ()  # of a done one: tests to run again while the retry budget lasts, bounded
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PullHead:
    """How far a list is given out."""

    run_id: str
    pull_id: str
    next_unit: int = 0
    next_number: int = 0
    returned: tuple[int, ...] = ()  # numbers of batches that came back, in the order of their return
    done_units: int = 0
    version: int = 0
