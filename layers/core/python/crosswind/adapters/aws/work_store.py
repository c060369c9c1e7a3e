"""Leased work in DynamoDB: the item in the runs table is the truth, its line in the queue table follows it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from crosswind.adapters.aws.attributes import SCHEMA, Item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    WORK_PREFIX,
    beat_key,
    lane_key,
    run_partition,
    term_key,
    work_key,
)
from crosswind.adapters.aws.queue_items import account_attribute
from crosswind.adapters.aws.work_items import (
    TALLY_ATTRIBUTES,
    beat_item,
    last_beat_item,
    queue_item,
    read_leased,
    read_tally,
    with_beats,
    work_item,
)
from crosswind.kernel.errors import RetryableError, ThrottledError, TooLargeError, WriteConflictError
from crosswind.runs.admission.model import Account
from crosswind.runs.model import Work, WorkKey, WorkState, WorkTally

_log = logging.getLogger(__name__)

ADMISSIONS_AT_ONCE = 24  # four actions each and the fence: 97 of the 100 that a transaction may hold


@dataclass(frozen=True)
class DynamoWorkStore:
    """WorkStore on the runs table and the queue table."""

    dynamo: Dynamo
    runs_table: str
    queue_table: str
    retention: timedelta

    def get(self, key: WorkKey) -> Work | None:
        work = work_key(key)
        pages = self._query(work["pk"]["S"], work["sk"]["S"], ConsistentRead=True)
        found = next(with_beats(item for page in pages for item in page["Items"]), None)
        return None if found is None else read_leased(*found)

    def get_many(self, keys: Sequence[WorkKey]) -> tuple[Work, ...]:
        wanted = [place(key) for key in dict.fromkeys(keys) for place in (work_key, beat_key)]
        items = sorted(
            self.dynamo.get_many(self.runs_table, wanted), key=lambda item: (item["pk"]["S"], item["sk"]["S"])
        )
        found = {work.key: work for work in (read_leased(*pair) for pair in with_beats(items))}
        return tuple(found[key] for key in dict.fromkeys(keys) if key in found)

    def save(self, before: Work | None, after: Work) -> Work:
        if before is not None and _only_beats(before, after):
            return self._beat(before, after)
        saved = _next(before, after)
        item = work_item(saved, retention=self.retention)
        condition = expect(before.version if before else None)
        queue = [*self._queue_actions(before, saved), *self._end_of_beats(before, saved)]
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
        pages = self._query(run_partition(run_id), WORK_PREFIX, ConsistentRead=True)
        for pair in with_beats(item for page in pages for item in page["Items"]):
            yield read_leased(*pair)

    def tallies(self, run_id: str) -> Iterator[WorkTally]:
        names = {f"#{name}": name for name in TALLY_ATTRIBUTES}
        pages = self._query(
            run_partition(run_id),
            WORK_PREFIX,
            ExpressionAttributeNames=names,
            ProjectionExpression=", ".join(names),
        )
        for pair in with_beats(item for page in pages for item in page["Items"]):
            yield read_tally(*pair)

    def _query(self, partition: str, prefix: str, **more: Any) -> Iterator[dict[str, Any]]:
        return self.dynamo.query(
            self.runs_table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": partition}, ":prefix": {"S": prefix}},
            **more,
        )

    def _beat(self, before: Work, after: Work) -> Work:
        """One small write. The work's own item stays as it is, so that nobody who changes it loses to a heartbeat."""
        try:
            self.dynamo.put(
                self.runs_table, beat_item(after, retention=self.retention), **_expect_beats(before)
            )
        except ConditionFailedError as lost:
            raise WriteConflictError(f"the lease of {after.key} was changed by another writer") from lost
        return after

    def _end_of_beats(self, before: Work | None, after: Work) -> list[dict[str, Any]]:
        """When a lease ends, its heartbeats end in the same transaction: of a beat and a lapse one wins."""
        if before is None or before.state is not WorkState.LEASED:
            return []
        if after.state is WorkState.LEASED and after.epoch == before.epoch:
            return []
        item = last_beat_item(before, retention=self.retention)
        return [{"Put": {"TableName": self.runs_table, "Item": item, **_expect_beats(before)}}]

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
            actions += [*self._queue_actions(before, work), *self._end_of_beats(before, work)]
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


def _only_beats(before: Work, after: Work) -> bool:
    return after.state is WorkState.LEASED and after.epoch == before.epoch and after.beats > before.beats


def _expect_beats(before: Work) -> dict[str, Any]:
    """The condition that the lease has been beaten as often as was read, and is not over."""
    epoch = {":epoch": {"N": str(before.epoch)}}
    if not before.beats:
        return {
            "ConditionExpression": "attribute_not_exists(pk) OR epoch < :epoch",
            "ExpressionAttributeValues": epoch,
        }
    return {
        "ConditionExpression": "epoch = :epoch AND beats = :beats",
        "ExpressionAttributeValues": {**epoch, ":beats": {"N": str(before.beats)}},
    }


def _place(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}
