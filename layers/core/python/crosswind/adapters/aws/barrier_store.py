"""Barriers of load jobs in the runs table: one partition each, and an item for each thing that is said once.

OPENED: when the first worker was there. READY#<work id>: a worker's word, written only while it holds its lease. DECISION:
written once; a start only while every worker that it names is leased under the epoch under which it said that it is ready.
JUDGED: which shard's ingestion merges the results.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, Values, from_item, to_item
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError, expect
from crosswind.adapters.aws.keys import (
    BARRIER_DECISION,
    BARRIER_JUDGED,
    BARRIER_OPENED,
    BARRIER_READY_PREFIX,
    barrier_partition,
    key,
    work_key,
)
from crosswind.adapters.aws.work_items import OUTLIVES_RUN, expires_at
from crosswind.kernel.clock import Clock, from_iso, to_iso
from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs.load.barrier import Barrier, Decision, Ready, Start, Stop
from crosswind.runs.model import Work, WorkKey, WorkState


@dataclass(frozen=True)
class DynamoBarrierStore:
    """BarrierStore on the runs table."""

    dynamo: Dynamo
    table: str
    clock: Clock
    retention: timedelta

    def get(self, run_id: str, group: str) -> Barrier:
        pages = self.dynamo.query(
            self.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": barrier_partition(run_id, group)}},
            ConsistentRead=True,
        )
        opened_at: datetime | None = None
        ready: dict[str, Ready] = {}
        decision: Decision | None = None
        for item in (item for page in pages for item in page["Items"]):
            values = from_item(item)
            if values["sk"] == BARRIER_OPENED:
                opened_at = from_iso(values["at"])
            elif values["sk"] == BARRIER_DECISION:
                decision = _read_decision(values)
            elif values["sk"].startswith(BARRIER_READY_PREFIX):
                word = Ready(values["workId"], values["epoch"], from_iso(values["at"]))
                ready[word.work_id] = word
        return Barrier(run_id, group, opened_at, ready, decision)

    def open(self, run_id: str, group: str, *, at: datetime) -> None:
        self._once(run_id, group, BARRIER_OPENED, {"at": to_iso(at)})

    def say_ready(self, group: str, *, holder: Work, at: datetime) -> None:
        work_id = holder.key.work_id
        values = {"workId": work_id, "epoch": holder.epoch, "at": to_iso(at)}
        item = self._item(holder.key.run_id, group, f"{BARRIER_READY_PREFIX}{work_id}", values)
        try:
            self.dynamo.transact(
                [
                    self._check_lease(holder.key, holder.epoch),
                    {"Put": {"TableName": self.table, "Item": item}},
                ]
            )
        except TransactionFailedError as lost:
            raise LeaseLostError(f"{work_id} is not leased under epoch {holder.epoch} any more") from lost

    def start(self, run_id: str, group: str, start: Start) -> None:
        values = {"at": to_iso(start.at), "epochs": dict(start.epochs)}
        item = self._item(run_id, group, BARRIER_DECISION, values)
        checks = [
            self._check_lease(WorkKey(run_id, work_id), epoch) for work_id, epoch in start.epochs.items()
        ]
        try:
            self.dynamo.transact([{"Put": {"TableName": self.table, "Item": item, **expect(None)}}, *checks])
        except TransactionFailedError as lost:
            raise WriteConflictError(f"{group} was decided, or a worker has lost its lease") from lost

    def stop(self, run_id: str, group: str, stop: Stop) -> None:
        if not self._once(run_id, group, BARRIER_DECISION, {"at": to_iso(stop.at), "reason": stop.reason}):
            raise WriteConflictError(f"{group} was decided before")

    def claim_judging(self, run_id: str, group: str, work_id: str) -> str:
        if self._once(run_id, group, BARRIER_JUDGED, {"workId": work_id}):
            return work_id
        stored = self.dynamo.get(self.table, key(barrier_partition(run_id, group), BARRIER_JUDGED))
        return work_id if stored is None else str(from_item(stored)["workId"])

    def _once(self, run_id: str, group: str, name: str, values: Mapping[str, Any]) -> bool:
        """Whether this was the first."""
        try:
            self.dynamo.put(self.table, self._item(run_id, group, name, values), **expect(None))
        except ConditionFailedError:
            return False
        return True

    def _item(self, run_id: str, group: str, name: str, values: Mapping[str, Any]) -> Item:
        expires = expires_at(self.clock.now() + self.retention + OUTLIVES_RUN)
        return key(barrier_partition(run_id, group), name) | to_item(
            {"schema": SCHEMA, "runId": run_id, "group": group, **values, "expiresAt": expires}
        )

    def _check_lease(self, work: WorkKey, epoch: int) -> dict[str, Any]:
        return {
            "ConditionCheck": {
                "TableName": self.table,
                "Key": work_key(work),
                "ConditionExpression": "#state = :leased AND epoch = :epoch",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {
                    ":leased": {"S": WorkState.LEASED.value},
                    ":epoch": {"N": str(epoch)},
                },
            }
        }


def _read_decision(values: Values) -> Decision:
    at = from_iso(values["at"])
    if "reason" in values:
        return Stop(values["reason"], at)
    return Start(at, values["epochs"])
