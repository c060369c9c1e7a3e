"""Leased work in DynamoDB: the item in the runs table is the truth, its line in the queue table follows it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from crosswind.adapters.aws.attributes import SCHEMA, Item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import WORK_PREFIX, lane_key, run_partition, term_key, work_key
from crosswind.adapters.aws.queue_items import account_attribute
from crosswind.adapters.aws.work_items import (
    TALLY_ATTRIBUTES,
    queue_item,
    read_tally,
    read_work,
    work_item,
)
from crosswind.kernel.errors import RetryableError, ThrottledError, TooLargeError, WriteConflictError
from crosswind.runs.admission.model import Account
from crosswind.runs.model import Work, WorkKey, WorkState, WorkTally

_log = logging.getLogger(__name__)

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
        if _joins(before, saved):
            self.line_up(saved)
        return saved

    def line_up(self, work: Work) -> None:
        """Count the entry in its lane's mark. After the entry is written: see DynamoQueueStore.close_lane."""
        self.dynamo.update(
            self.queue_table,
            lane_key(work.key.run_id),
            "SET #schema = :schema, team = :team, suite = :suite, priority = :priority ADD mark :one",
            ExpressionAttributeNames={"#schema": "schema"},
            ExpressionAttributeValues={
                ":schema": {"N": str(SCHEMA)},
                ":team": {"S": work.team},
                ":suite": {"S": work.suite},
                ":priority": {"S": work.priority.value},
                ":one": {"N": "1"},
            },
        )

    def admit_all(
        self, pairs: Sequence[tuple[Work, Work]], *, fence: int, account: Account | None = None
    ) -> tuple[Work, ...]:
        admitted: list[Work] = []
        guard = self._fence(fence, account)
        try:
            for start in range(0, len(pairs), ADMISSIONS_AT_ONCE):
                for work in self._admit(pairs[start : start + ADMISSIONS_AT_ONCE], guard, fence=fence):
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

    def tallies(self, run_id: str) -> Iterator[WorkTally]:
        names = {f"#{name}": name for name in TALLY_ATTRIBUTES}
        pages = self.dynamo.query(
            self.runs_table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": run_partition(run_id)}, ":prefix": {"S": WORK_PREFIX}},
            ExpressionAttributeNames=names,
            ProjectionExpression=", ".join(names),
        )
        for page in pages:
            yield from map(read_tally, page["Items"])

    def _admit(
        self, pairs: Sequence[tuple[Work, Work]], guard: dict[str, Any], *, fence: int
    ) -> Iterator[Work]:
        """Write a group in one transaction; where that loses, each of it alone, so that one loser costs no other."""
        saved = [_next(before, after) for before, after in pairs]
        if self._write_under(guard, pairs, saved, fence=fence):
            for (before, _), work in zip(pairs, saved, strict=True):
                if _joins(before, work):
                    self.line_up(work)
                yield work
        elif len(pairs) > 1:
            for pair in pairs:
                yield from self._admit([pair], guard, fence=fence)

    def _write_under(
        self,
        guard: dict[str, Any],
        pairs: Sequence[tuple[Work, Work]],
        saved: Sequence[Work],
        *,
        fence: int,
    ) -> bool:
        """Whether the group was written. Raises WriteConflictError when the fence has moved."""
        actions: list[dict[str, Any]] = [guard]
        for (before, _), work in zip(pairs, saved, strict=True):
            item = work_item(work, retention=self.retention)
            actions.append({"Put": {"TableName": self.runs_table, "Item": item, **expect(before.version)}})
            actions += self._queue_actions(before, work)
        try:
            self.dynamo.transact(actions)
        except TransactionFailedError as lost:
            if 0 in lost.failed:
                raise WriteConflictError(f"the scheduler's fence is no longer {fence}") from lost
            return False
        except ThrottledError:
            return False  # contended: each alone may pass, and what does not is left to the next round
        except (ClientError, TooLargeError):
            _log.exception("%d changes of the scheduler were refused together", len(pairs))
            return False
        return True

    def _fence(self, fence: int, account: Account | None) -> dict[str, Any]:
        """The first action of every transaction of the scheduler: its term still is the last one that began."""
        guarded = {
            "TableName": self.queue_table,
            "Key": term_key(),
            "ConditionExpression": "fence = :fence",
            "ExpressionAttributeValues": {":fence": {"N": str(fence)}},
        }
        if account is None:
            return {"ConditionCheck": guarded}
        guarded["UpdateExpression"] = "SET account = :account"
        guarded["ExpressionAttributeValues"] = {
            ":fence": {"N": str(fence)},
            ":account": account_attribute(account),
        }
        return {"Update": guarded}

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


def _joins(before: Work | None, after: Work) -> bool:
    """Whether the item begins to wait, or waits in another place of its lane than before."""
    if after.state is not WorkState.WAITING:
        return False
    old, new = queue_item(before), queue_item(after)
    return old is None or new is None or _place(old) != _place(new)


def _next(before: Work | None, after: Work) -> Work:
    return replace(after, version=(before.version if before else 0) + 1)


def _place(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}
