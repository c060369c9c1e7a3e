"""Who has which target, in the chaos table. One item for each target: two runs can never have the same one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crosswind.adapters.aws.attributes import to_item
from crosswind.adapters.aws.chaos_keys import hold_key
from crosswind.adapters.aws.chaos_run_items import hold_item, read_hold
from crosswind.adapters.aws.dynamo import ConditionFailedError, Dynamo, TransactionFailedError
from crosswind.chaos.model import Hold
from crosswind.kernel.errors import ConflictError, WriteConflictError

_AT_ONCE = 99  # what a transaction takes beside its condition
_SHOWN = 5


@dataclass(frozen=True)
class DynamoHolds:
    """Holds of targets."""

    dynamo: Dynamo
    table: str

    def of(self, wanted: Sequence[str]) -> tuple[Hold, ...]:
        """Who has these targets, by target."""
        keys = [hold_key(each) for each in dict.fromkeys(wanted)]
        found = map(read_hold, self.dynamo.get_many(self.table, keys))
        return tuple(sorted(found, key=lambda hold: hold.target_id))

    def take(self, run_id: str, holds: Sequence[Hold], *, only_if: dict[str, object]) -> None:
        """Take all of them or none, while the condition on the run holds.

        Raises ConflictError naming who has one, and WriteConflictError.
        """
        ordered = sorted(holds, key=lambda hold: hold.target_id)
        had = {
            each.target_id for each in self.of([hold.target_id for hold in ordered]) if each.run_id == run_id
        }
        for start in range(0, len(ordered), _AT_ONCE):
            some = ordered[start : start + _AT_ONCE]
            try:
                self.dynamo.transact([only_if, *map(self._claim, some)])
            except TransactionFailedError as lost:
                new = [each.target_id for each in ordered[:start] if each.target_id not in had]
                self.release(run_id, new)
                raise self._conflict(run_id, [each.target_id for each in some]) from lost

    def mark_unverified(self, run_id: str, wanted: Sequence[str], *, team: str, now: datetime) -> None:
        """Keep them from everybody. What another run has stays its own."""
        known = {each.target_id: each for each in self.of(wanted)}
        for target_id in dict.fromkeys(wanted):
            earlier = known.get(target_id)
            since = earlier.since if earlier is not None and earlier.run_id == run_id else now
            hold = Hold(target_id=target_id, run_id=run_id, team=team, unverified=True, since=since)
            try:
                self.dynamo.put(self.table, hold_item(hold), **_own_or_free(run_id))
            except ConditionFailedError:
                continue

    def release(self, run_id: str, wanted: Sequence[str]) -> None:
        """Let go of them; what another run has stays its own."""
        for target_id in dict.fromkeys(wanted):
            try:
                self.dynamo.delete(self.table, hold_key(target_id), **_own_or_free(run_id))
            except ConditionFailedError:
                continue

    def _claim(self, hold: Hold) -> dict[str, object]:
        return {"Put": {"TableName": self.table, "Item": hold_item(hold), **_own_or_free(hold.run_id)}}

    def _conflict(self, run_id: str, wanted: Sequence[str]) -> ConflictError | WriteConflictError:
        others = [each for each in self.of(wanted) if each.run_id != run_id]
        if not others:
            return WriteConflictError("the run went on, or another let go of a target, at this moment")
        shown = ", ".join(f"{each.target_id} by {each.run_id}" for each in others[:_SHOWN])
        return ConflictError(f"held already: {shown}")


def _own_or_free(run_id: str) -> dict[str, object]:
    return {
        "ConditionExpression": "attribute_not_exists(pk) OR runId = :run",
        "ExpressionAttributeValues": to_item({":run": run_id}),
    }
