"""The edge of a Lambda that SQS feeds: parse each message, call, and report which ones failed (partial batches)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from crosswind.edge import telemetry

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Received(Generic[M]):
    """A parsed message, and when the queue took it."""

    body: M
    sent_at: datetime


def queue_handler(
    function: Callable[[Sequence[Received[M]]], Sequence[int]],
) -> Callable[[Any, Any], dict[str, Any]]:
    """Turn `def handler(messages: Sequence[Received[Model]]) -> Sequence[int]` into a Lambda handler.

    The function returns the indexes of messages to be delivered again. A message that cannot be parsed is logged and
    reported as failed, so that it ends in the dead-letter queue. An exception fails the whole batch.
    """
    adapter: TypeAdapter[M] = TypeAdapter(_body_type(function))

    @wraps(function)
    def handle(event: Any, context: Any) -> dict[str, Any]:
        telemetry.bind(context)
        parsed: list[tuple[str, Received[M]]] = []
        failed: list[str] = []
        for record in event["Records"]:
            try:
                body = adapter.validate_json(record["body"])
            except ValidationError as error:
                telemetry.logger().error("unreadable message %s: %s", record["messageId"], error)
                failed.append(record["messageId"])
            else:
                parsed.append((record["messageId"], Received(body, _sent_at(record))))
        try:
            again = function([message for _, message in parsed]) if parsed else ()
        except Exception:
            telemetry.logger().exception("the batch failed")
            raise
        failed += [parsed[index][0] for index in again]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}

    return handle


def _body_type(function: Callable[[Sequence[Received[M]]], Sequence[int]]) -> Any:
    hints = [hint for name, hint in get_type_hints(function).items() if name != "return"]
    (received,) = get_args(hints[0])
    (body,) = get_args(received)
    return body


def _sent_at(record: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, tz=UTC)
