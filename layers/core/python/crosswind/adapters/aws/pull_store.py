"""Work lists in the runs table: heads that are compared and set, and batches that move from one place to the next.

A batch is an item in exactly one place: in its head (returned), under its holder (leased), or among those that are
committed or lost. Each move deletes it there and puts it here in one transaction, so it cannot be in two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from crosswind.adapters.aws.dynamo import Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    COMMITTED_PREFIX,
    LEASED_PREFIX,
    LOST_PREFIX,
    leased_batch_key,
    pull_head_key,
    pull_partition,
    work_key,
)
from crosswind.adapters.aws.pull_items import batch_item, batch_key, head_item, read_batch, read_head
from crosswind.adapters.aws.work_items import OUTLIVES_RUN, expires_at
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs.model import Work, WorkState
from crosswind.runs.pulling.model import Batch, BatchState, PullHead

Action = dict[str, Any]


@dataclass(frozen=True)
class DynamoPullStore:
    """PullStore on the runs table."""

    dynamo: Dynamo
    table: str
    clock: Clock
    retention: timedelta

    def heads(self, run_id: str, pull_id: str, *, stripes: Sequence[int]) -> tuple[PullHead, ...]:
        keys = [pull_head_key(run_id, pull_id, stripe) for stripe in stripes]
        found = {head.stripe: head for head in map(read_head, self.dynamo.get_many(self.table, keys))}
        return tuple(
            found.get(stripe, PullHead(run_id=run_id, pull_id=pull_id, stripe=stripe)) for stripe in stripes
        )

    def held(self, run_id: str, pull_id: str, work_id: str) -> Batch | None:
        item = self.dynamo.get(self.table, leased_batch_key(run_id, pull_id, work_id))
        return None if item is None else read_batch(item)

    def leased(self, run_id: str, pull_id: str, *, limit: int | None = None) -> Iterator[Batch]:
        return self._batches(run_id, pull_id, LEASED_PREFIX, limit=limit)

    def lost(self, run_id: str, pull_id: str) -> tuple[Batch, ...]:
        return tuple(self._batches(run_id, pull_id, LOST_PREFIX))

    def committed(self, run_id: str, pull_id: str, work_id: str | None = None) -> Iterator[Batch]:
        of_one = f"{work_id}#" if work_id is not None else ""
        return self._batches(run_id, pull_id, f"{COMMITTED_PREFIX}{of_one}")

    def lease(self, head: PullHead, batch: Batch, *, holder: Work) -> None:
        try:
            self.dynamo.transact([self._check_lease(holder), self._move_head(head), self._put(batch)])
        except TransactionFailedError as lost:
            if 0 in lost.failed:
                raise _lease_lost(holder) from lost
            raise WriteConflictError(f"another runner was quicker at {head.pull_id}") from lost

    def commit(self, batch: Batch, *, holder: Work) -> Batch:
        try:
            self.dynamo.transact([self._check_lease(holder), self._take(batch), self._put(batch)])
        except TransactionFailedError as lost:
            earlier = self._committed_before(batch)
            if earlier is None:
                raise _lease_lost(holder) from lost
            return earlier
        return batch

    def give_back(self, head: PullHead, batch: Batch) -> None:
        self._move([self._take(batch), self._move_head(head)], batch)

    def give_up(self, batch: Batch) -> None:
        self._move([self._take(batch), self._put(batch)], batch)

    def _move(self, actions: Sequence[Action], batch: Batch) -> None:
        try:
            self.dynamo.transact(actions)
        except TransactionFailedError as lost:
            raise WriteConflictError(f"{batch.work_id} has not batch {batch.number} any more") from lost

    def _committed_before(self, batch: Batch) -> Batch | None:
        """The same batch as its holder committed it under the same epoch: the answer was lost, the write was not."""
        item = self.dynamo.get(self.table, batch_key(batch))
        earlier = read_batch(item) if item else None
        return earlier if earlier is not None and earlier.epoch == batch.epoch else None

    def _batches(
        self, run_id: str, pull_id: str, prefix: str, *, limit: int | None = None
    ) -> Iterator[Batch]:
        pages = self.dynamo.query(
            self.table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={
                ":pk": {"S": pull_partition(run_id, pull_id)},
                ":prefix": {"S": prefix},
            },
            ConsistentRead=True,
            **({} if limit is None else {"Limit": limit}),
        )
        for page in pages:
            yield from map(read_batch, page["Items"])
            if limit is not None:
                return

    def _check_lease(self, holder: Work) -> Action:
        """The shard's own lease, which its batches hang on: nothing is written for a holder that lost it."""
        return {
            "ConditionCheck": {
                "TableName": self.table,
                "Key": work_key(holder.key),
                "ConditionExpression": "#state = :leased AND epoch = :epoch",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {
                    ":leased": {"S": WorkState.LEASED.value},
                    ":epoch": {"N": str(holder.epoch)},
                },
            }
        }

    def _move_head(self, head: PullHead) -> Action:
        item = head_item(replace(head, version=head.version + 1), expires_at=self._expires_at())
        return {"Put": {"TableName": self.table, "Item": item, **expect(head.version or None)}}

    def _put(self, batch: Batch) -> Action:
        item = batch_item(batch, expires_at=self._expires_at())
        return {"Put": {"TableName": self.table, "Item": item, **expect(None)}}

    def _take(self, batch: Batch) -> Action:
        """Away from its holder, if it is still that lease of that batch."""
        return {
            "Delete": {
                "TableName": self.table,
                "Key": batch_key(replace(batch, state=BatchState.LEASED)),
                "ConditionExpression": "#number = :number AND stripe = :stripe AND epoch = :epoch",
                "ExpressionAttributeNames": {"#number": "number"},
                "ExpressionAttributeValues": {
                    ":number": {"N": str(batch.number)},
                    ":stripe": {"N": str(batch.stripe)},
                    ":epoch": {"N": str(batch.epoch)},
                },
            }
        }

    def _expires_at(self) -> int:
        return expires_at(self.clock.now() + self.retention + OUTLIVES_RUN)


def _lease_lost(holder: Work) -> LeaseLostError:
    return LeaseLostError(f"{holder.key.work_id} is not leased under epoch {holder.epoch} any more")
