"""Ports in memory, for unit tests. Each passes the same contract suite as its AWS adapter (tests/contract)."""

from tests.fakes.barriers import MemoryBarrierStore
from tests.fakes.channels import (
    MemoryEventBus,
    MemoryExecutions,
    MemoryQueues,
    MemorySecrets,
    MemoryTaskTokens,
)
from tests.fakes.objects import MemoryObjectStore
from tests.fakes.pulls import MemoryPullStore
from tests.fakes.runs import MemoryDocumentStore, MemoryRunStore
from tests.fakes.samples import make_entry, make_event, make_run, make_ticket, make_work
from tests.fakes.time import START, CountingIds, SettableClock
from tests.fakes.work import MemoryQueueStore, MemoryWorkStore

__all__ = [
    "START",
    "CountingIds",
    "MemoryBarrierStore",
    "MemoryDocumentStore",
    "MemoryEventBus",
    "MemoryExecutions",
    "MemoryObjectStore",
    "MemoryPullStore",
    "MemoryQueueStore",
    "MemoryQueues",
    "MemoryRunStore",
    "MemorySecrets",
    "MemoryTaskTokens",
    "MemoryWorkStore",
    "SettableClock",
    "make_entry",
    "make_event",
    "make_run",
    "make_ticket",
    "make_work",
]
