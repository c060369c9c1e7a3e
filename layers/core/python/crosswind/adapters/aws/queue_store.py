"""The queue's lists, the scheduler's lease and the capacity, in the queue table."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError
from crosswind.adapters.aws.keys import ACTIVE, capacity_key, term_key, waiting_partition, wakeups_key
from crosswind.adapters.aws.work_items import read_entry
from crosswind.contracts.suites import Priority
from crosswind.runs.ports import QueueEntry, SchedulerTerm


@dataclass(frozen=True)
class DynamoQueueStore:
    """QueueStore on the queue table."""

    dynamo: Dynamo
    table: str

    def heads(self, priority: Priority, *, limit: int) -> tuple[QueueEntry, ...]:
        entries: list[QueueEntry] = []
        for page in self.dynamo.query(self.table, **_partition(waiting_partition(priority)), Limit=limit):
            entries += map(read_entry, page["Items"])
            if len(entries) >= limit:
                break
        return tuple(entries[:limit])

    def active(self) -> tuple[QueueEntry, ...]:
        pages = self.dynamo.query(self.table, **_partition(ACTIVE))
        return tuple(read_entry(item) for page in pages for item in page["Items"])

    def waiting_count(self, *, at_most: int) -> int:
        count = 0
        for priority in Priority:
            query = _partition(waiting_partition(priority))
            for page in self.dynamo.query(self.table, **query, Select="COUNT", Limit=max(at_most, 1)):
                count += page["Count"]
                if count >= at_most:
                    return at_most
        return count

    def slots(self) -> int | None:
        item = self.dynamo.get(self.table, capacity_key())
        return None if item is None else int(item["slots"]["N"])

    def register_slots(self, slots: int) -> None:
        self.dynamo.put(self.table, {**capacity_key(), "slots": {"N": str(slots)}})

    def want(self) -> int:
        item = self.dynamo.update(
            self.table, wakeups_key(), "ADD wanted :one", ExpressionAttributeValues={":one": {"N": "1"}}
        )
        return int(item["wanted"]["N"])

    def lead(self, owner: str, *, now: datetime, duration: timedelta) -> SchedulerTerm | None:
        """The term begins before the counter is read, so that each later wake-up is seen when it ends."""
        try:
            item = self.dynamo.update(
                self.table,
                term_key(),
                "SET #owner = :owner, termEndsAt = :end ADD fence :one",
                ConditionExpression="attribute_not_exists(termEndsAt) OR termEndsAt <= :now",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={
                    ":owner": {"S": owner},
                    ":end": _milliseconds(now + duration),
                    ":now": _milliseconds(now),
                    ":one": {"N": "1"},
                },
            )
        except ConditionFailedError:
            return None
        return SchedulerTerm(fence=int(item["fence"]["N"]), wanted=self.wanted())

    def resign(self, term: SchedulerTerm) -> bool:
        unchanged = "attribute_not_exists(wanted)" if term.wanted == 0 else "wanted = :wanted"
        values = {} if term.wanted == 0 else {"ExpressionAttributeValues": {":wanted": _number(term.wanted)}}
        end_term = {
            "TableName": self.table,
            "Key": term_key(),
            "UpdateExpression": "REMOVE termEndsAt, #owner",
            "ConditionExpression": "fence = :fence",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":fence": _number(term.fence)},
        }
        check = {
            "TableName": self.table,
            "Key": wakeups_key(),
            "ConditionExpression": unchanged,
            **values,
        }
        try:
            self.dynamo.transact([{"Update": end_term}, {"ConditionCheck": check}])
        except TransactionFailedError as lost:
            return 0 in lost.failed  # another term has begun, and whoever leads it will look
        return True

    def wanted(self) -> int:
        item = self.dynamo.get(self.table, wakeups_key())
        return 0 if item is None else int(item["wanted"]["N"])


def _partition(pk: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": pk}},
        "ConsistentRead": True,
    }


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _milliseconds(at: datetime) -> dict[str, str]:
    return _number(int(at.timestamp() * 1000))
