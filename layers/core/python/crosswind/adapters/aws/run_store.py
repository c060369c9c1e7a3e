"""Runs, the failures shown while they go on, the outbox and remembered preparations, in the runs table."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, from_item, to_item
from crosswind.adapters.aws.cursors import read_cursor, write_cursor
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    BY_TEAM,
    FAILURES_PREFIX,
    OUTBOX,
    UNFINISHED,
    UNFINISHED_KEY,
    created_key,
    event_key,
    failures_key,
    idempotency_key,
    preparation_key,
    run_key,
    run_partition,
    team_partition,
)
from crosswind.adapters.aws.run_items import pack_cases, read_cases, read_run, run_item
from crosswind.adapters.aws.work_items import expires_at
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.clock import Clock, from_iso, to_iso
from crosswind.kernel.errors import ConflictError, NotFoundError, WriteConflictError
from crosswind.kernel.ids import IdempotencyKey
from crosswind.kernel.paging import Page
from crosswind.runs.model import Case, Run
from crosswind.runs.ports import RunFilter

IDEMPOTENCY_LASTS = timedelta(hours=24)
_CREATED_KEY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#(run-[0-9a-z]{26})")
_PAGES_A_CALL = 10  # of 1 MB each: what one call looks through for the runs that a filter wants


@dataclass(frozen=True)
class DynamoRunStore:
    """RunStore on the runs table."""

    dynamo: Dynamo
    table: str
    clock: Clock
    retention: timedelta

    def create(self, run: Run, *, idempotency: IdempotencyKey | None) -> tuple[Run, bool]:
        stored = replace(run, version=1)
        item = run_item(stored, retention=self.retention)
        actions: list[dict[str, Any]] = [self._put(item, expect(None))]
        if idempotency is not None:
            actions.append(self._claim_key(idempotency, run.run_id))
        try:
            self.dynamo.transact(actions)
        except TransactionFailedError as lost:
            if idempotency is None or 1 not in lost.failed:
                raise WriteConflictError(f"{run.run_id} exists") from lost
            earlier = self.created_with(idempotency)
            if earlier is None:
                raise WriteConflictError("the Idempotency-Key expired meanwhile") from lost
            return earlier, False
        return stored, True

    def created_with(self, idempotency: IdempotencyKey) -> Run | None:
        item = self.dynamo.get(self.table, idempotency_key(idempotency.team, idempotency.key))
        values = from_item(item) if item else None
        if values is None or values["expiresAt"] <= expires_at(self.clock.now()):
            return None
        if values["requestDigest"] != idempotency.request_digest:
            raise ConflictError("this Idempotency-Key was used for another request")
        return self.get(values["runId"])

    def get(self, run_id: str) -> Run:
        item = self.dynamo.get(self.table, run_key(run_id))
        if item is None:
            raise NotFoundError(f"there is no run {run_id}")
        return read_run(item)

    def save(self, run: Run) -> Run:
        saved = replace(run, version=run.version + 1)
        item = run_item(saved, retention=self.retention)
        try:
            self.dynamo.put(self.table, item, **expect(run.version))
        except ConditionFailedError as lost:
            raise WriteConflictError(f"{run.run_id} was changed by another writer") from lost
        return saved

    def finish(self, run: Run, event: DomainEvent) -> Run:
        saved = replace(run, version=run.version + 1)
        item = run_item(saved, retention=self.retention)
        unsent = event_key(event.id) | to_item({"schema": SCHEMA, "event": event.to_wire()})
        try:
            self.dynamo.transact([self._put(item, expect(run.version)), self._put(unsent, {})])
        except TransactionFailedError as lost:
            raise WriteConflictError(f"{run.run_id} was changed by another writer") from lost
        return saved

    def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> Page[Run]:
        after = read_cursor(cursor, team=wanted.team, form=_CREATED_KEY)
        query = _team_query(wanted, limit=limit)
        if after is not None:
            query["ExclusiveStartKey"] = _index_key(wanted.team, after[1], after[0])
        found: list[Run] = []
        for number, page in enumerate(self.dynamo.query(self.table, **query), start=1):
            found += map(read_run, page["Items"])
            if len(found) > limit:
                return Page(tuple(found[:limit]), _cursor_behind(found[limit - 1]))
            if number == _PAGES_A_CALL and "LastEvaluatedKey" in page:
                looked_at = page["LastEvaluatedKey"]["createdKey"]["S"]
                return Page(tuple(found), write_cursor(team=wanted.team, last=looked_at))
        return Page(tuple(found), None)

    def unfinished(self) -> Iterator[Run]:
        pages = self.dynamo.query(
            self.table,
            IndexName=UNFINISHED,
            KeyConditionExpression="unfinishedKey = :key",
            ExpressionAttributeValues={":key": {"S": UNFINISHED_KEY}},
        )
        for page in pages:
            yield from map(read_run, page["Items"])

    def unsent_events(self) -> Iterator[DomainEvent]:
        for values in self._partition(OUTBOX):
            yield DomainEvent.model_validate_json(values["event"])

    def unsent_event(self, event_id: str) -> DomainEvent | None:
        item = self.dynamo.get(self.table, event_key(event_id))
        return DomainEvent.model_validate_json(from_item(item)["event"]) if item else None

    def mark_sent(self, event_id: str) -> None:
        self.dynamo.delete(self.table, event_key(event_id))

    def add_failures(self, run_id: str, work_id: str, cases: Sequence[Case]) -> None:
        values = {
            "schema": SCHEMA,
            "cases": pack_cases(cases),
            "expiresAt": expires_at(self.clock.now() + self.retention),
        }
        self.dynamo.put(self.table, failures_key(run_id, work_id) | to_item(values))

    def failures(self, run_id: str) -> tuple[Case, ...]:
        kept = self._partition(run_partition(run_id), prefix=FAILURES_PREFIX)
        return tuple(case for values in kept for case in read_cases(values["cases"]))

    def preparation(self, cache_key: str) -> str | None:
        item = self.dynamo.get(self.table, preparation_key(cache_key))
        if item is None:
            return None
        values = from_item(item)
        return str(values["discoveryKey"]) if from_iso(values["until"]) > self.clock.now() else None

    def remember_preparation(self, cache_key: str, *, discovery_key: str, until: datetime) -> None:
        values = {
            "schema": SCHEMA,
            "discoveryKey": discovery_key,
            "until": to_iso(until),
            "expiresAt": expires_at(until),
        }
        self.dynamo.put(self.table, preparation_key(cache_key) | to_item(values))

    def _put(self, item: Item, condition: dict[str, Any]) -> dict[str, Any]:
        return {"Put": {"TableName": self.table, "Item": item, **condition}}

    def _claim_key(self, wanted: IdempotencyKey, run_id: str) -> dict[str, Any]:
        now = self.clock.now()
        values = {
            "schema": SCHEMA,
            "runId": run_id,
            "requestDigest": wanted.request_digest,
            "expiresAt": expires_at(now + IDEMPOTENCY_LASTS),
        }
        return self._put(
            idempotency_key(wanted.team, wanted.key) | to_item(values),
            {
                "ConditionExpression": "attribute_not_exists(pk) OR expiresAt <= :now",
                "ExpressionAttributeValues": {":now": {"N": str(expires_at(now))}},
            },
        )

    def _partition(self, pk: str, *, prefix: str = "") -> Iterator[dict[str, Any]]:
        values = {":pk": {"S": pk}}
        condition = "pk = :pk"
        if prefix:
            values[":prefix"] = {"S": prefix}
            condition += " AND begins_with(sk, :prefix)"
        pages = self.dynamo.query(
            self.table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        for page in pages:
            yield from map(from_item, page["Items"])


def _team_query(wanted: RunFilter, *, limit: int) -> dict[str, Any]:
    filters = {"suite": wanted.suite, "state": wanted.state, "verdictKind": wanted.verdict}
    chosen = {name: str(value) for name, value in filters.items() if value is not None}
    query: dict[str, Any] = {
        "IndexName": BY_TEAM,
        "KeyConditionExpression": "teamKey = :team",
        "ExpressionAttributeValues": {":team": {"S": team_partition(wanted.team)}},
        "ScanIndexForward": False,
    }
    if not chosen:
        return {**query, "Limit": limit + 1}
    query["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in chosen)
    query["ExpressionAttributeNames"] = {f"#{name}": name for name in chosen}
    query["ExpressionAttributeValues"] |= {f":{name}": {"S": value} for name, value in chosen.items()}
    return query


def _index_key(team: str, run_id: str, created: str) -> Item:
    return {**run_key(run_id), "teamKey": {"S": team_partition(team)}, "createdKey": {"S": created}}


def _cursor_behind(run: Run) -> str:
    return write_cursor(team=run.team, last=created_key(run.created_at, run.run_id))
