"""Heads and batches of work lists as DynamoDB items, and back. Explicit: a field that is not named here is not stored."""

from typing import Any

from crosswind.adapters.aws.attributes import SCHEMA, Item, Values, from_item, to_item
from crosswind.adapters.aws.keys import (
    Key,
    committed_batch_key,
    leased_batch_key,
    lost_batch_key,
    pull_head_key,
)
from crosswind.runs.pulling.model import Batch, BatchState, PullHead, ReturnedBatch


def head_item(head: PullHead, *, expires_at: int) -> Item:
    """The stored form of a head."""
    return pull_head_key(head.run_id, head.pull_id, head.stripe) | to_item(
        {
            "schema": SCHEMA,
            "runId": head.run_id,
            "pullId": head.pull_id,
            "stripe": head.stripe,
            "nextUnit": head.next_unit,
            "nextNumber": head.next_number,
            "returned": [_returned_values(back) for back in head.returned],
            "version": head.version,
            "expiresAt": expires_at,
        }
    )


def read_head(item: Item) -> PullHead:
    """The head that an item holds."""
    values = from_item(item)
    return PullHead(
        run_id=values["runId"],
        pull_id=values["pullId"],
        stripe=values["stripe"],
        next_unit=values["nextUnit"],
        next_number=values["nextNumber"],
        returned=tuple(_read_returned(back) for back in values["returned"]),
        version=values["version"],
    )


def batch_item(batch: Batch, *, expires_at: int) -> Item:
    """The stored form of a batch; where it lies follows from its state."""
    return batch_key(batch) | to_item(
        {
            "schema": SCHEMA,
            "runId": batch.run_id,
            "pullId": batch.pull_id,
            "stripe": batch.stripe,
            "number": batch.number,
            "first": batch.first,
            "count": batch.count,
            "attempt": batch.attempt,
            "losses": batch.losses,
            "state": batch.state.value,
            "workId": batch.work_id,
            "workAttempt": batch.work_attempt,
            "epoch": batch.epoch,
            "prefix": batch.prefix,
            "failed": list(batch.failed),
            "failedCount": batch.failed_count,
            "expiresAt": expires_at,
        }
    )


def batch_key(batch: Batch) -> Key:
    """Where a batch lies. One that came back lies in its head."""
    match batch.state:
        case BatchState.LEASED:
            return leased_batch_key(batch.run_id, batch.pull_id, batch.work_id)
        case BatchState.DONE:
            return committed_batch_key(batch.run_id, batch.pull_id, batch.work_id, batch.stripe, batch.number)
        case BatchState.LOST:
            return lost_batch_key(batch.run_id, batch.pull_id, batch.stripe, batch.number)
        case BatchState.RETURNED:
            raise ValueError(f"batch {batch.number} came back: it has no item of its own")


def read_batch(item: Item) -> Batch:
    """The batch that an item holds."""
    values = from_item(item)
    return Batch(
        run_id=values["runId"],
        pull_id=values["pullId"],
        stripe=values["stripe"],
        number=values["number"],
        first=values["first"],
        count=values["count"],
        attempt=values["attempt"],
        losses=values["losses"],
        state=BatchState(values["state"]),
        work_id=values["workId"],
        work_attempt=values["workAttempt"],
        epoch=values["epoch"],
        prefix=values["prefix"],
        failed=tuple(values["failed"]),
        failed_count=values["failedCount"],
    )


def _returned_values(back: ReturnedBatch) -> dict[str, Any]:
    return {
        "number": back.number,
        "first": back.first,
        "count": back.count,
        "attempt": back.attempt,
        "losses": back.losses,
    }


def _read_returned(values: Values) -> ReturnedBatch:
    return ReturnedBatch(
        number=values["number"],
        first=values["first"],
        count=values["count"],
        attempt=values["attempt"],
        losses=values["losses"],
    )
