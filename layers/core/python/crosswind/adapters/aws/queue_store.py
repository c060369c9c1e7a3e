"""The lanes, the active list, the rules and the scheduler's lease, in the queue table."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import Item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    ACTIVE,
    LANES,
    LATER_PREFIX,
    READY_PREFIX,
    RULES,
    lane_key,
    lane_partition,
    pause_rule,
    rule_key,
    team_rule,
    term_key,
    wakeups_key,
)
from crosswind.adapters.aws.queue_items import (
    account_attribute,
    executor_item,
    milliseconds,
    read_account,
    read_lane,
    read_milliseconds,
    read_rules,
    read_team,
    team_item,
    waiting_attribute,
)
from crosswind.adapters.aws.work_items import expires_at, read_entry
from crosswind.kernel.errors import WriteConflictError
from crosswind.runs.admission.model import Account, QueueEntry, lane_order
from crosswind.runs.admission.ports import (
    ExecutorCapacity,
    Heads,
    LaneLine,
    Rules,
    SchedulerTerm,
    TeamSettings,
    Waiting,
)

READERS = 8  # lanes read at once


@dataclass(frozen=True)
class DynamoQueueStore:
    """QueueStore on the queue table."""

    dynamo: Dynamo
    table: str
    readers: int = READERS

    def lanes(self) -> tuple[LaneLine, ...]:
        pages = self.dynamo.query(self.table, **_partition(LANES))
        return tuple(read_lane(item) for page in pages for item in page["Items"])

    def heads(self, limits: Mapping[str, int]) -> Mapping[str, Heads]:
        if len(limits) <= 1 or self.readers <= 1:
            return {run_id: self._heads(run_id, limit) for run_id, limit in limits.items()}
        with ThreadPoolExecutor(min(self.readers, len(limits))) as pool:
            return dict(zip(limits, pool.map(self._heads, limits, limits.values()), strict=True))

    def close_lane(self, line: LaneLine) -> bool:
        """An entry is written before its lane's mark grows. So whoever found the lane empty after reading this mark may
        delete the line under it: an entry that came since has made, or will make, the mark another one."""
        try:
            self.dynamo.delete(
                self.table,
                lane_key(line.run_id),
                ConditionExpression="mark = :mark",
                ExpressionAttributeValues={":mark": _number(line.mark)},
            )
        except ConditionFailedError:
            return False
        return True

    def explain(self, run_id: str, waiting: Waiting) -> None:
        try:
            self.dynamo.update(
                self.table,
                lane_key(run_id),
                "SET waiting = :waiting",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeValues={":waiting": waiting_attribute(waiting)},
            )
        except ConditionFailedError:
            return

    def account(self) -> Account | None:
        term = self.dynamo.get(self.table, term_key())
        return None if term is None else read_account(term)

    def active(self, *, run_id: str | None = None) -> tuple[QueueEntry, ...]:
        query = _partition(ACTIVE) if run_id is None else _beginning(ACTIVE, f"{run_id}#")
        return tuple(
            read_entry(item) for page in self.dynamo.query(self.table, **query) for item in page["Items"]
        )

    def waiting_count(self, *, at_most: int, run_id: str | None = None) -> int:
        lanes = [run_id] if run_id is not None else [line.run_id for line in self.lanes()]
        count = 0
        for lane in lanes:
            if count >= at_most:
                break
            query = {**_partition(lane_partition(lane)), "ConsistentRead": False}
            for page in self.dynamo.query(self.table, **query, Select="COUNT", Limit=at_most - count):
                count += page["Count"]
                if count >= at_most:
                    break
        return min(count, at_most)

    def rules(self) -> Rules:
        pages = self.dynamo.query(self.table, **_partition(RULES))
        return read_rules(item for page in pages for item in page["Items"])

    def register_capacity(self, capacity: ExecutorCapacity) -> None:
        self.dynamo.put(self.table, executor_item(capacity))

    def register_slots(self, slots: int) -> None:
        self.register_capacity(ExecutorCapacity(slots=slots))

    def team(self, team: str) -> TeamSettings:
        item = self.dynamo.get(self.table, rule_key(team_rule(team)))
        return TeamSettings(team) if item is None else read_team(item)

    def save_team(self, settings: TeamSettings) -> TeamSettings:
        saved = replace(settings, version=settings.version + 1)
        try:
            self.dynamo.put(self.table, team_item(saved), **expect(settings.version or None))
        except ConditionFailedError as lost:
            raise WriteConflictError(f"the queue of team {settings.team} was changed meanwhile") from lost
        return saved

    def pause_run(self, run_id: str, *, until: datetime) -> None:
        expiry = {"expiresAt": {"N": str(expires_at(until))}}
        self.dynamo.put(self.table, rule_key(pause_rule(run_id)) | expiry)

    def resume_run(self, run_id: str) -> None:
        self.dynamo.delete(self.table, rule_key(pause_rule(run_id)))

    def want(self) -> int:
        item = self.dynamo.update(
            self.table, wakeups_key(), "ADD wanted :one", ExpressionAttributeValues={":one": {"N": "1"}}
        )
        return int(item["wanted"]["N"])

    def wanted(self) -> int:
        item = self.dynamo.get(self.table, wakeups_key())
        return 0 if item is None else int(item["wanted"]["N"])

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
                    ":end": milliseconds(now + duration),
                    ":now": milliseconds(now),
                    ":one": {"N": "1"},
                },
            )
        except ConditionFailedError:
            return None
        armed = item.get("armedFor")
        return SchedulerTerm(
            fence=int(item["fence"]["N"]),
            wanted=self.wanted(),
            account=read_account(item),
            armed_for=read_milliseconds(armed) if armed else None,
        )

    def stand_by(self, *, now: datetime) -> timedelta | None:
        term = self.dynamo.get(self.table, term_key())
        if term is None or "termEndsAt" not in term or term.get("stoodBy") == term["fence"]:
            return None
        left = read_milliseconds(term["termEndsAt"]) - now
        if left <= timedelta():
            return None
        try:
            self.dynamo.update(
                self.table,
                term_key(),
                "SET stoodBy = :fence",
                ConditionExpression="fence = :fence AND (attribute_not_exists(stoodBy) OR stoodBy <> :fence)",
                ExpressionAttributeValues={":fence": term["fence"]},
            )
        except ConditionFailedError:
            return None
        return left

    def resign(self, term: SchedulerTerm) -> bool:
        unchanged = "attribute_not_exists(wanted)" if term.wanted == 0 else "wanted = :wanted"
        values = {} if term.wanted == 0 else {"ExpressionAttributeValues": {":wanted": _number(term.wanted)}}
        check = {
            "TableName": self.table,
            "Key": wakeups_key(),
            "ConditionExpression": unchanged,
            **values,
        }
        try:
            self.dynamo.transact([{"Update": self._end_of(term)}, {"ConditionCheck": check}])
        except TransactionFailedError as lost:
            return 0 in lost.failed  # another term has begun, and whoever leads it will look
        return True

    def release(self, term: SchedulerTerm) -> None:
        end = self._end_of(term)
        try:
            self.dynamo.update(end.pop("TableName"), end.pop("Key"), end.pop("UpdateExpression"), **end)
        except ConditionFailedError:
            return

    def _end_of(self, term: SchedulerTerm) -> dict[str, Any]:
        """The update that ends a term. What the term before had armed or accounted stays where this one knows nothing."""
        kept: dict[str, Item] = {}
        if term.account is not None:
            kept["account"] = account_attribute(term.account)
        if term.armed_for is not None:
            kept["armedFor"] = milliseconds(term.armed_for)
        sets = ", ".join(f"{name} = :{name}" for name in kept)
        return {
            "TableName": self.table,
            "Key": term_key(),
            "UpdateExpression": f"{f'SET {sets} ' if sets else ''}REMOVE termEndsAt, #owner",
            "ConditionExpression": "fence = :fence",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {
                ":fence": _number(term.fence),
                **{f":{name}": value for name, value in kept.items()},
            },
        }

    def _heads(self, run_id: str, limit: int) -> Heads:
        """Lines of work that came back lie before the ready ones: where they fill the page, the ready ones are read apart."""
        partition = lane_partition(run_id)
        lines = self._first(_partition(partition), limit)
        more = len(lines) >= limit
        if more and lines[-1]["sk"]["S"].startswith(LATER_PREFIX):
            lines += self._first(_beginning(partition, READY_PREFIX), limit)
        return Heads(tuple(sorted(map(read_entry, lines), key=lane_order)), more=more)

    def _first(self, query: Mapping[str, Any], limit: int) -> list[Item]:
        found: list[Item] = []
        for page in self.dynamo.query(self.table, **query, Limit=limit):
            found += page["Items"]
            if len(found) >= limit:
                break
        return found[:limit]


def _partition(pk: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": pk}},
        "ConsistentRead": True,
    }


def _beginning(pk: str, prefix: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": pk}, ":prefix": {"S": prefix}},
        "ConsistentRead": True,
    }


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
