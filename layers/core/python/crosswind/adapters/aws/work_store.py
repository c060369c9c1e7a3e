"""Leased work in DynamoDB: the item in the runs table is the truth, its line in the queue table follows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from crosswind.adapters.aws.attributes import Item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import WORK_PREFIX, run_partition, term_key, work_key
from crosswind.adapters.aws.work_items import queue_item, read_work, work_item
from crosswind.kernel.errors import RetryableError, ThrottledError, WriteConflictError
from crosswind.runs.model import Work, WorkKey

ADMISSIONS_AT_ONCE = 30  # three actions each and the fence: 91 of the 100 that a transaction may hold


@dataclass(frozen=True)
class DynamoWorkStore:
    """WorkStore on the runs table and the queue table."""

    dynamo: Dynamo
    runs_table: str
    queue_table: str
    retention: timedelta

    def get(self, key: WorkKey) -> Work | None:
        item = self.dynamo.get(self.runs_table, work_key(key))
        return None if item is None else read_work(item)

    def get_many(self, keys: Sequence[WorkKey]) -> tuple[Work, ...]:
        items = self.dynamo.get_many(self.runs_table, [work_key(key) for key in dict.fromkeys(keys)])
        found = {work.key: work for work in map(read_work, items)}
        return tuple(found[key] for key in dict.fromkeys(keys) if key in found)

    def save(self, before: Work | None, after: Work) -> Work:
        saved = _next(before, after)
        item = work_item(saved, retention=self.retention)
        condition = expect(before.version if before else None)
        queue = self._queue_actions(before, saved)
        try:
            if queue:
                put = {"Put": {"TableName": self.runs_table, "Item": item, **condition}}
                self.dynamo.transact([put, *queue])
            else:
                self.dynamo.put(self.runs_table, item, **condition)
        except (ConditionFailedError, TransactionFailedError) as lost:
            raise WriteConflictError(f"{after.key} was changed by another writer") from lost
        return saved

    def admit_all(self, pairs: Sequence[tuple[Work, Work]], *, fence: int) -> tuple[Work, ...]:
        admitted: list[Work] = []
        try:
            for start in range(0, len(pairs), ADMISSIONS_AT_ONCE):
                for work in self._admit(pairs[start : start + ADMISSIONS_AT_ONCE], fence=fence):
                    admitted.append(work)  # noqa: PERF402  # what was written before a fault must be kept
        except RetryableError:
            if not admitted:
                raise
        return tuple(admitted)

    def of_run(self, run_id: str) -> Iterator[Work]:
        pages = self.dynamo.query(
            self.runs_table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": run_partition(run_id)}, ":prefix": {"S": WORK_PREFIX}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(read_work, page["Items"])

    def _admit(self, pairs: Sequence[tuple[Work, Work]], *, fence: int) -> Iterator[Work]:
        """Write a group in one transaction; where that loses, each of it alone, so that one loser costs no other."""
        saved = [_next(before, after) for before, after in pairs]
        actions: list[dict[str, Any]] = [self._fence_check(fence)]
        for (before, _), work in zip(pairs, saved, strict=True):
            item = work_item(work, retention=self.retention)
            actions.append({"Put": {"TableName": self.runs_table, "Item": item, **expect(before.version)}})
            actions += self._queue_actions(before, work)
        try:
            self.dynamo.transact(actions)
        except TransactionFailedError as lost:
            if 0 in lost.failed:
                raise WriteConflictError(f"the scheduler's fence is no longer {fence}") from lost
        except ThrottledError:
            pass  # contended: each alone may pass, and what does not is left to the next round
        else:
            yield from saved
            return
        if len(pairs) > 1:
            for pair in pairs:
                yield from self._admit([pair], fence=fence)

    def _fence_check(self, fence: int) -> dict[str, Any]:
        return {
            "ConditionCheck": {
                "TableName": self.queue_table,
                "Key": term_key(),
                "ConditionExpression": "fence = :fence",
                "ExpressionAttributeValues": {":fence": {"N": str(fence)}},
            }
        }

    def _queue_actions(self, before: Work | None, after: Work) -> list[dict[str, Any]]:
        """What keeps the queue's lists in step: nothing where the line stays as it is."""
        old, new = queue_item(before), queue_item(after)
        if old == new:
            return []
        actions: list[dict[str, Any]] = []
        if old is not None and (new is None or _place(old) != _place(new)):
            actions.append({"Delete": {"TableName": self.queue_table, "Key": _place(old)}})
        if new is not None:
            actions.append({"Put": {"TableName": self.queue_table, "Item": new}})
        return actions


def _next(before: Work | None, after: Work) -> Work:
    return replace(after, version=(before.version if before else 0) + 1)


def _place(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}
