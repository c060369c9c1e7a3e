"""Runs of experiments, what they injected, what happened and which targets they hold, in the chaos table."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, from_item, to_item
from crosswind.adapters.aws.chaos_holds import DynamoHolds
from crosswind.adapters.aws.chaos_keys import (
    DECISION_PREFIX,
    INJECTION_PREFIX,
    TIMELINE_PREFIX,
    counter_key,
    injection_key,
    line_order,
    run_key,
    run_partition,
)
from crosswind.adapters.aws.chaos_run_items import (
    decision_item,
    injection_item,
    line_item,
    read_decision,
    read_injection,
    read_line,
    read_run,
    run_item,
)
from crosswind.adapters.aws.cursors import read_cursor, write_cursor
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    BY_TEAM,
    OUTBOX,
    UNFINISHED,
    UNFINISHED_KEY,
    created_key,
    event_key,
    idempotency_key,
    key,
    team_partition,
)
from crosswind.adapters.aws.work_items import expires_at
from crosswind.chaos.model import ExperimentRun, Hold, Injection, TimelineEvent
from crosswind.chaos.ports import PLANNABLE, RunFilter
from crosswind.chaos.radius import target_ids
from crosswind.contracts.chaos.gate import GateDecision
from crosswind.contracts.chaos.lifecycle import FaultState, RunState
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError, NotFoundError, WriteConflictError
from crosswind.kernel.ids import IdempotencyKey
from crosswind.kernel.paging import Page

IDEMPOTENCY_LASTS = timedelta(hours=24)

_CREATED_KEY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#(exp-[0-9a-z]{26})")
_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#\d{8}")
_PAGES_A_CALL = 10  # of 1 MB each: what one call looks through for the runs that a filter wants


@dataclass(frozen=True)
class DynamoExperimentRunStore:
    """ExperimentRunStore on the chaos table."""

    dynamo: Dynamo
    table: str
    clock: Clock
    retention: timedelta

    def create(
        self,
        run: ExperimentRun,
        *,
        idempotency: IdempotencyKey | None,
        timeline: Sequence[TimelineEvent] = (),
        event: DomainEvent | None = None,
    ) -> tuple[ExperimentRun, bool]:
        stored = replace(run, version=1)
        puts = [self._put(run_item(stored, retention=self.retention), expect(None))]
        if idempotency is not None:
            puts.append(self._claim_key(idempotency, run.run_id))
        puts += self._told(run.run_id, timeline, event)
        try:
            self.dynamo.transact(puts)
        except TransactionFailedError as lost:
            if idempotency is None or 1 not in lost.failed:
                raise WriteConflictError(f"{run.run_id} exists") from lost
            earlier = self.created_with(idempotency)
            if earlier is None:
                raise WriteConflictError("the Idempotency-Key expired meanwhile") from lost
            return earlier, False
        return stored, True

    def created_with(self, idempotency: IdempotencyKey) -> ExperimentRun | None:
        item = self.dynamo.get(self.table, idempotency_key(idempotency.team, idempotency.key))
        values = from_item(item) if item else None
        if values is None or values["expiresAt"] <= expires_at(self.clock.now()):
            return None
        if values["requestDigest"] != idempotency.request_digest:
            raise ConflictError("this Idempotency-Key was used for another request")
        return self.get(values["runId"])

    def get(self, run_id: str) -> ExperimentRun:
        item = self.dynamo.get(self.table, run_key(run_id))
        if item is None:
            raise NotFoundError(f"there is no run {run_id}")
        return read_run(item)

    def save(
        self, run: ExperimentRun, *, timeline: Sequence[TimelineEvent] = (), event: DomainEvent | None = None
    ) -> ExperimentRun:
        saved = replace(run, version=run.version + 1)
        item = run_item(saved, retention=self.retention)
        try:
            if timeline or event:
                puts = [self._put(item, expect(run.version)), *self._told(run.run_id, timeline, event)]
                self.dynamo.transact(puts)
            else:
                self.dynamo.put(self.table, item, **expect(run.version))
        except (TransactionFailedError, ConditionFailedError) as lost:
            raise WriteConflictError(f"{run.run_id} was changed by another writer") from lost
        return saved

    def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> Page[ExperimentRun]:
        after = read_cursor(cursor, team=wanted.team, form=_CREATED_KEY)
        query = _team_query(wanted, limit=limit)
        if after is not None:
            query["ExclusiveStartKey"] = _index_key(wanted.team, after[1], after[0])
        found: list[ExperimentRun] = []
        for number, page in enumerate(self.dynamo.query(self.table, **query), start=1):
            found += map(read_run, page["Items"])
            if len(found) > limit:
                last = found[limit - 1]
                behind = created_key(last.created_at, last.run_id)
                return Page(tuple(found[:limit]), write_cursor(team=wanted.team, last=behind))
            if number == _PAGES_A_CALL and "LastEvaluatedKey" in page:
                looked_at = page["LastEvaluatedKey"]["createdKey"]["S"]
                return Page(tuple(found), write_cursor(team=wanted.team, last=looked_at))
        return Page(tuple(found), None)

    def unfinished(self) -> Iterator[ExperimentRun]:
        pages = self.dynamo.query(
            self.table,
            IndexName=UNFINISHED,
            KeyConditionExpression="unfinishedKey = :key",
            ExpressionAttributeValues={":key": {"S": UNFINISHED_KEY}},
        )
        for page in pages:
            yield from map(read_run, page["Items"])

    def plan_injections(
        self, run: ExperimentRun, injections: Sequence[Injection], holds: Sequence[Hold]
    ) -> None:
        # The injections come first: whoever ends the run finds in them what it may hold.
        earlier = {(each.step, each.fault): each for each in self.injections(run.run_id)}
        for each in injections:
            known = earlier.get((each.step, each.fault))
            if known is None or known.state is FaultState.PLANNED:
                self._plan(replace(each, version=known.version if known else 0))
        planned = [each for each in earlier.values() if each.state is FaultState.PLANNED]
        meant = {(each.step, each.fault) for each in injections}
        for each in planned:
            if (each.step, each.fault) not in meant:
                self._drop(each)
        self._take(run.run_id, holds)
        asked_for = [each for each in earlier.values() if each.state is not FaultState.PLANNED]
        wanted = {each.target_id for each in holds} | set(_hit(asked_for))
        self._holds.release(run.run_id, [each for each in _hit(planned) if each not in wanted])

    def injections(self, run_id: str) -> tuple[Injection, ...]:
        found = map(read_injection, self._items(run_partition(run_id), prefix=INJECTION_PREFIX))
        return tuple(sorted(found, key=lambda each: (each.step, each.order)))

    def save_injection(self, injection: Injection) -> Injection:
        return self._write(injection)

    def holds(self, target_ids: Sequence[str]) -> tuple[Hold, ...]:
        found = self._holds.of(target_ids)
        over = self._over(found)
        return tuple(each for each in found if each.run_id not in over)

    def mark_unverified(self, run_id: str, target_ids: Sequence[str]) -> None:
        run = self.get(run_id)
        self._holds.mark_unverified(run_id, target_ids, team=run.team, now=self.clock.now())

    def release(self, run_id: str, target_ids: Sequence[str]) -> None:
        self._holds.release(run_id, target_ids)

    def add_to_timeline(self, run_id: str, events: Sequence[TimelineEvent]) -> None:
        for item in self._lines(run_id, events):
            self.dynamo.put(self.table, item)

    def timeline(self, run_id: str, *, limit: int, cursor: str | None) -> Page[TimelineEvent]:
        after = read_cursor(cursor, team=run_id, form=_LINE)
        start = {"ExclusiveStartKey": key(run_partition(run_id), TIMELINE_PREFIX + after[0])} if after else {}
        found: list[TimelineEvent] = []
        for item in self._items(run_partition(run_id), prefix=TIMELINE_PREFIX, Limit=limit + 1, **start):
            found.append(read_line(item))
            if len(found) > limit:
                last = found[limit - 1]
                behind = write_cursor(team=run_id, last=line_order(last.at, last.number))
                return Page(tuple(found[:limit]), behind)
        return Page(tuple(found), None)

    def add_decision(self, run_id: str, decision: GateDecision) -> None:
        self.dynamo.put(self.table, decision_item(run_id, decision, self._count(run_id, 1)))

    def decisions(self, run_id: str) -> tuple[GateDecision, ...]:
        found = self._items(run_partition(run_id), prefix=DECISION_PREFIX)
        return tuple(read_decision(from_item(item)["decision"]) for item in found)

    def unsent_events(self) -> Iterator[DomainEvent]:
        for item in self._items(OUTBOX):
            yield DomainEvent.model_validate_json(from_item(item)["event"])

    def mark_sent(self, event_id: str) -> None:
        self.dynamo.delete(self.table, event_key(event_id))

    def _take(self, run_id: str, holds: Sequence[Hold]) -> None:
        """What an ended run could not let go of, because its Lambda died, keeps nobody out."""
        try:
            self._holds.take(run_id, holds, only_if=self._is_planned(run_id))
        except ConflictError:
            held = self._holds.of([each.target_id for each in holds])
            over = self._over(held)
            if not over:
                raise
            for ended in over:
                self._holds.release(ended, [each.target_id for each in held if each.run_id == ended])
            self._holds.take(run_id, holds, only_if=self._is_planned(run_id))

    def _over(self, holds: Iterable[Hold]) -> frozenset[str]:
        """Which runs behind them are analysed. One that is not there any more has expired, as only those do."""
        keys = [run_key(each) for each in sorted({hold.run_id for hold in holds})]
        runs = map(read_run, self.dynamo.get_many(self.table, keys))
        going_on = {each.run_id for each in runs if each.state is not RunState.ANALYZED}
        return frozenset({hold.run_id for hold in holds} - going_on)

    @property
    def _holds(self) -> DynamoHolds:
        return DynamoHolds(self.dynamo, self.table)

    def _write(self, injection: Injection) -> Injection:
        saved = replace(injection, version=injection.version + 1)
        item = injection_item(saved, now=self.clock.now(), retention=self.retention)
        try:
            self.dynamo.put(self.table, item, **expect(injection.version or None))
        except ConditionFailedError as lost:
            raise WriteConflictError(f"{injection.marker} was changed by another writer") from lost
        return saved

    def _plan(self, injection: Injection) -> None:
        saved = replace(injection, version=injection.version + 1)
        item = injection_item(saved, now=self.clock.now(), retention=self.retention)
        write = self._put(item, expect(injection.version or None))
        try:
            self.dynamo.transact([self._is_planned(injection.run_id), write])
        except TransactionFailedError as lost:
            raise WriteConflictError(f"{injection.marker} or its run was changed by another writer") from lost

    def _is_planned(self, run_id: str) -> dict[str, Any]:
        """Whoever ends a run looks for what it planned once: nothing may be added after that by a Lambda that is late."""
        states = {f":{each.value}": each.value for each in PLANNABLE}
        check = {
            "TableName": self.table,
            "Key": run_key(run_id),
            "ConditionExpression": f"#state IN ({', '.join(sorted(states))})",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": to_item(states),
        }
        return {"ConditionCheck": check}

    def _drop(self, injection: Injection) -> None:
        place = injection_key(injection.run_id, injection.step, injection.fault)
        try:
            self.dynamo.delete(self.table, place, **expect(injection.version))
        except ConditionFailedError as lost:
            raise WriteConflictError(f"{injection.marker} was changed by another writer") from lost

    def _told(
        self, run_id: str, timeline: Sequence[TimelineEvent], event: DomainEvent | None
    ) -> list[dict[str, Any]]:
        puts = [self._put(item, {}) for item in self._lines(run_id, timeline)]
        if event is not None:
            unsent = event_key(event.id) | to_item({"schema": SCHEMA, "event": event.to_wire()})
            puts.append(self._put(unsent, {}))
        return puts

    def _lines(self, run_id: str, events: Sequence[TimelineEvent]) -> list[Item]:
        if not events:
            return []
        last = self._count(run_id, len(events))
        until = self.clock.now() + self.retention
        return [
            line_item(run_id, replace(each, number=last - len(events) + place), until=until)
            for place, each in enumerate(events, start=1)
        ]

    def _count(self, run_id: str, step: int) -> int:
        """The last of so many new numbers. Numbers of a write that was lost afterwards are not used again."""
        counted = self.dynamo.update(
            self.table,
            counter_key(run_id),
            "ADD #count :step SET #schema = :schema",
            ExpressionAttributeNames={"#count": "count", "#schema": "schema"},
            ExpressionAttributeValues=to_item({":step": step, ":schema": SCHEMA}),
        )
        return int(counted["count"]["N"])

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

    def _items(self, pk: str, *, prefix: str = "", **more: Any) -> Iterator[Item]:
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
            **more,
        )
        for page in pages:
            yield from page["Items"]


def _hit(injections: Iterable[Injection]) -> tuple[str, ...]:
    return target_ids(target for each in injections for target in each.targets)


def _team_query(wanted: RunFilter, *, limit: int) -> dict[str, Any]:
    filters = {"experiment": wanted.experiment, "service": wanted.service, "state": wanted.state}
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
