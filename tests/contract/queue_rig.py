"""The stores of leased work and of the queue, which belong together: in memory, and in DynamoDB."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from crosswind.adapters.aws.queue_store import DynamoQueueStore
from crosswind.adapters.aws.work_store import DynamoWorkStore
from crosswind.runs.admission.ports import (
    Heads,
    QueueStore,
)
from crosswind.runs.model import (
    Work,
    WorkState,
)
from crosswind.runs.ports import WorkStore
from tests.fakes import START, MemoryQueueStore, MemoryWorkStore, make_work
from tests.stores.embedded import Tables

TERM = timedelta(seconds=20)


@dataclass(frozen=True)
class Stores:
    """A work store and the queue that it keeps in step."""

    work: WorkStore
    queue: QueueStore

    def waiting(self, run: int = 1) -> list[str]:
        return [entry.key.work_id for entry in self.heads(run).entries]

    def heads(self, run: int = 1, *, limit: int = 100) -> Heads:
        run_id = make_work(run=run).key.run_id
        return self.queue.heads({run_id: limit})[run_id]

    def lanes(self) -> dict[str, int]:
        return {line.run_id[-1]: line.mark for line in self.queue.lanes()}

    def active(self) -> list[str]:
        return [entry.key.work_id for entry in self.queue.active()]

    def admit(self, work: Work) -> Work:
        admitted = self.work.save(work, replace(work, state=WorkState.ADMITTED, admitted_at=START))
        assert admitted.state is WorkState.ADMITTED
        return admitted


class InMemory:
    @pytest.fixture
    def stores(self) -> Stores:
        queue = MemoryQueueStore()
        return Stores(work=MemoryWorkStore(queue), queue=queue)


class InDynamoDb:
    @pytest.fixture
    def stores(self, tables: Tables) -> Stores:
        return Stores(
            work=DynamoWorkStore(
                dynamo=tables.dynamo,
                runs_table=tables.runs,
                queue_table=tables.queue,
                retention=timedelta(days=90),
            ),
            queue=DynamoQueueStore(dynamo=tables.dynamo, table=tables.queue, readers=1),
        )


def lead(stores: Stores) -> int:
    term = stores.queue.lead("scheduler", now=START, duration=TERM)
    assert term is not None
    return term.fence


def admission_of(work: Work) -> tuple[Work, Work]:
    return work, replace(work, state=WorkState.ADMITTED, admitted_at=START)
