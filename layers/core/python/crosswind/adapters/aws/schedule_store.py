"""Schedules, triggers and deployments, in the runs table: a team's lie beside its suites."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from crosswind.adapters.aws.attributes import SCHEMA, Item, to_item
from crosswind.adapters.aws.cursors import read_cursor, write_cursor
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    DUE_KEY,
    SCHEDULE_PREFIX,
    TRIGGER_PREFIX,
    UNFINISHED,
    deployment_key,
    due_order,
    event_key,
    key,
    schedule_key,
    team_partition,
    trigger_key,
)
from crosswind.adapters.aws.schedule_items import (
    deployment_item,
    read_deployment,
    read_schedule,
    read_trigger,
    schedule_item,
    trigger_firing_values,
    trigger_item,
)
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError, WriteConflictError
from crosswind.kernel.paging import Page
from crosswind.runs.schedules.model import Schedule, Trigger, TriggerFiring

_NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,62}")

Stored = TypeVar("Stored", Schedule, Trigger)


@dataclass(frozen=True)
class DynamoScheduleStore:
    """ScheduleStore on the runs table."""

    dynamo: Dynamo
    table: str

    def find(self, team: str, name: str) -> Schedule | None:
        item = self.dynamo.get(self.table, schedule_key(team, name))
        return read_schedule(item) if item else None

    def save(self, schedule: Schedule) -> Schedule:
        saved = replace(schedule, version=schedule.version + 1)
        try:
            self.dynamo.put(self.table, schedule_item(saved), **expect(schedule.version or None))
        except ConditionFailedError as lost:
            raise WriteConflictError(f"schedule {schedule.name} was changed by another writer") from lost
        return saved

    def delete(self, team: str, name: str) -> bool:
        return self.dynamo.delete(self.table, schedule_key(team, name)) is not None

    def list_schedules(self, team: str, *, limit: int, cursor: str | None) -> Page[Schedule]:
        return _page(self, SCHEDULE_PREFIX, team, limit, cursor, read_schedule)

    def count(self, team: str, *, at_most: int) -> int:
        counted = 0
        query = _of_team(team, SCHEDULE_PREFIX)
        for page in self.dynamo.query(self.table, **query, Select="COUNT", Limit=at_most):
            counted += page["Count"]
            if counted >= at_most:
                break
        return min(counted, at_most)

    def due(self, *, until: datetime) -> Iterator[Schedule]:
        pages = self.dynamo.query(
            self.table,
            IndexName=UNFINISHED,
            KeyConditionExpression="unfinishedKey = :key AND runKey < :until",
            ExpressionAttributeValues={":key": {"S": DUE_KEY}, ":until": {"S": due_order(until, "", "")}},
        )
        for page in pages:
            yield from map(read_schedule, page["Items"])


@dataclass(frozen=True)
class DynamoTriggerStore:
    """TriggerStore on the runs table."""

    dynamo: Dynamo
    table: str

    def put(self, trigger: Trigger) -> bool:
        return self.dynamo.put(self.table, trigger_item(trigger)) is None

    def find(self, team: str, name: str) -> Trigger | None:
        item = self.dynamo.get(self.table, trigger_key(team, name))
        return read_trigger(item) if item else None

    def delete(self, team: str, name: str) -> bool:
        return self.dynamo.delete(self.table, trigger_key(team, name)) is not None

    def list_triggers(self, team: str, *, limit: int, cursor: str | None) -> Page[Trigger]:
        return _page(self, TRIGGER_PREFIX, team, limit, cursor, read_trigger)

    def of_team(self, team: str) -> Iterator[Trigger]:
        for page in self.dynamo.query(self.table, **_of_team(team, TRIGGER_PREFIX)):
            yield from map(read_trigger, page["Items"])

    def note(self, team: str, name: str, firing: TriggerFiring) -> None:
        try:
            self.dynamo.update(
                self.table,
                trigger_key(team, name),
                "SET #last = :last",
                ConditionExpression="attribute_exists(pk)",
                ExpressionAttributeNames={"#last": "last"},
                ExpressionAttributeValues=to_item({":last": trigger_firing_values(firing)}),
            )
        except ConditionFailedError:
            return  # it was deleted meanwhile, and with it the place for this note


@dataclass(frozen=True)
class DynamoDeployments:
    """Deployments on the runs table: the record and the event in the outbox, or neither."""

    dynamo: Dynamo
    table: str
    clock: Clock
    retention: timedelta

    def record(self, event: DomainEvent) -> bool:
        record = deployment_item(event, until=self.clock.now() + self.retention)
        unsent = event_key(event.id) | to_item({"schema": SCHEMA, "event": event.to_wire()})
        puts: list[dict[str, Any]] = [
            {"Put": {"TableName": self.table, "Item": record, **expect(None)}},
            {"Put": {"TableName": self.table, "Item": unsent}},
        ]
        try:
            self.dynamo.transact(puts)
        except TransactionFailedError as known:
            stored = self.dynamo.get(self.table, deployment_key(event.team, event.id))
            if stored is not None and read_deployment(stored) != event.detail:
                raise ConflictError("the Idempotency-Key was used for another deployment") from known
            return False
        return True


def _page(
    store: DynamoScheduleStore | DynamoTriggerStore,
    prefix: str,
    team: str,
    limit: int,
    cursor: str | None,
    read: Callable[[Item], Stored],
) -> Page[Stored]:
    after = read_cursor(cursor, team=team, form=_NAME)
    start = {"ExclusiveStartKey": key(team_partition(team), prefix + after[0])} if after else {}
    found: list[Stored] = []
    for page in store.dynamo.query(store.table, **_of_team(team, prefix), Limit=limit + 1, **start):
        found += map(read, page["Items"])
        if len(found) > limit:
            return Page(tuple(found[:limit]), write_cursor(team=team, last=found[limit - 1].name))
    return Page(tuple(found), None)


def _of_team(team: str, prefix: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": team_partition(team)}, ":prefix": {"S": prefix}},
        "ConsistentRead": True,
    }
