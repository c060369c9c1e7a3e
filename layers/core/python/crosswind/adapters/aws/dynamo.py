"""The few DynamoDB calls that the stores are made of, with conditions and conflicts as values.

Two kinds of lost writes look alike to a client and are told apart here. A condition that failed is final: another
writer was first. A conflict with a transaction under way is not: the call is repeated a few times. And when the
service applied a write but its answer got lost, the SDK's own repetition fails on the condition that it made false
itself: a mark in the item (`writeId`) shows that the stored item is ours.
"""

import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from crosswind.adapters.aws.attributes import Item
from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.adapters.aws.keys import Key
from crosswind.kernel.errors import ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

_KEYS_AT_ONCE = 100  # what BatchGetItem takes
_ATTEMPTS = 6
_FIRST_PAUSE = 0.02  # doubled before each further attempt
_CONDITION_FAILED = "ConditionalCheckFailed"
_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class ConditionFailedError(Exception):
    """A conditional write lost. `item` is what is stored, where the service told it."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a write did not hold")
        self.item = item


class TransactionFailedError(Exception):
    """A transaction lost. `failed` holds the positions of the actions whose condition did not hold."""

    def __init__(self, failed: frozenset[int]) -> None:
        super().__init__(f"the conditions of actions {sorted(failed)} did not hold")
        self.failed = failed


class Dynamo:
    """Conditional writes, transactions and consistent reads. Tests pass a `pause` that does not wait."""

    def __init__(self, client: "DynamoDBClient", *, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._pause = pause

    def get(self, table: str, key: Key) -> Item | None:
        """Read one item consistently."""
        with aws_errors("dynamodb"):
            return self._client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")

    def glance(self, table: str, key: Key) -> Item | None:
        """Read one item for half the price; what was written a moment ago may be missing."""
        with aws_errors("dynamodb"):
            return self._client.get_item(TableName=table, Key=key).get("Item")

    def get_many(self, table: str, keys: Sequence[Key]) -> Iterator[Item]:
        """Read items consistently, in no order; keys differ. What the service leaves over is asked for again.

        Raises ThrottledError when it gives nothing several times in a row.
        """
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            left: Any = list(keys[start : start + _KEYS_AT_ONCE])
            fruitless = 0
            while left:
                if fruitless == _ATTEMPTS:
                    raise ThrottledError("dynamodb: a batch of items is not given")
                self._wait(fruitless)
                with aws_errors("dynamodb"):
                    answer: Any = self._client.batch_get_item(
                        RequestItems={table: {"Keys": left, "ConsistentRead": True}}
                    )
                items = answer["Responses"].get(table, [])
                yield from items
                fruitless = 0 if items else fruitless + 1
                left = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])

    def put(self, table: str, item: Item, **condition: Any) -> Item | None:
        """Write an item and return the one it replaced. Raises ConditionFailedError."""
        marked = {**item, "writeId": {"S": secrets.token_hex(8)}}
        call = {"TableName": table, "Item": marked, **condition}
        if condition:
            call["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        else:
            call["ReturnValues"] = "ALL_OLD"
        try:
            return self._insist(lambda: self._client.put_item(**call)).get("Attributes")
        except ConditionFailedError as lost:
            if lost.item is not None and lost.item.get("writeId") == marked["writeId"]:
                return None
            raise

    def update(self, table: str, key: Key, expression: str, **more: Any) -> Item:
        """Update an item and return all of it as it is now. Raises ConditionFailedError."""
        call = {
            "TableName": table,
            "Key": key,
            "UpdateExpression": expression,
            "ReturnValues": "ALL_NEW",
            **more,
        }
        return self._insist(lambda: self._client.update_item(**call)).get("Attributes", {})

    def delete(self, table: str, key: Key, **condition: Any) -> Item | None:
        """Delete an item and return it, if there was one. Raises ConditionFailedError."""
        return self._insist(
            lambda: self._client.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD", **condition)
        ).get("Attributes")

    def transact(self, actions: Sequence[Any]) -> None:
        """Write all or nothing, at most 100 actions. Raises TransactionFailedError."""
        # The SDK adds one client request token per call, so its own repetitions are recognised by the service.
        self._insist(lambda: self._client.transact_write_items(TransactItems=actions))

    def query(self, table: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Pages of a query, as the service cuts them: each has Items, Count and perhaps LastEvaluatedKey."""
        start: dict[str, Any] = {}
        while True:
            with aws_errors("dynamodb"):
                page: Any = self._client.query(TableName=table, **{**query, **start})
            yield page
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _insist(self, call: Callable[[], T]) -> T:
        for attempt in range(_ATTEMPTS):
            self._wait(attempt)
            with aws_errors("dynamodb"):
                try:
                    return call()
                except ClientError as error:
                    if not _is_conflict(error):
                        raise
        raise ThrottledError("dynamodb: this item is contended by other transactions")

    def _wait(self, attempt: int) -> None:
        if attempt:
            longest = _FIRST_PAUSE * 2.0**attempt
            self._pause(random.uniform(longest / 2, longest))  # noqa: S311  # jitter, no secret


def _is_conflict(error: ClientError) -> bool:
    """Whether to try again. Raises ConditionFailedError or TransactionFailedError where a condition failed."""
    code = error_code(error)
    response: Any = error.response
    if code == "ConditionalCheckFailedException":
        raise ConditionFailedError(response.get("Item")) from error
    if code == "TransactionCanceledException":
        reasons = [reason.get("Code") for reason in response.get("CancellationReasons", [])]
        failed = frozenset(position for position, reason in enumerate(reasons) if reason == _CONDITION_FAILED)
        if failed:
            raise TransactionFailedError(failed) from error
        return not _PASSING.isdisjoint(reasons)
    return code == "TransactionConflictException"


def expect(version: int | None) -> dict[str, Any]:
    """The condition of an optimistic write: the stored version, or None for an item that must not exist."""
    if version is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(version)}},
    }
