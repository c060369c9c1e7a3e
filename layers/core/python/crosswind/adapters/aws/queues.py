"""SQS: what the workers tell each other, and the executor's side of its queue."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from crosswind.adapters.aws.errors import aws_errors, error_code
from crosswind.contracts.archives import ArchiveMessage
from crosswind.contracts.work import AdmissionMessage, DispatchMessage, WatchMessage
from crosswind.kernel.errors import DependencyError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10  # SQS's own limit
_ATTEMPTS = 4
_LONGEST_DELAY = timedelta(minutes=15)
_GONE = frozenset(
    {"ReceiptHandleIsInvalid", "InvalidParameterValue", "AWS.SimpleQueueService.MessageNotInflight"}
)


@dataclass(frozen=True)
class SqsQueues:
    """Queues on SQS."""

    client: "SQSClient"
    admission_url: str
    executor_url: str
    launch_url: str
    watch_url: str
    pause: Callable[[float], None] = field(default=time.sleep, repr=False)

    def wake_scheduler(self, *, after: timedelta = timedelta()) -> None:
        with aws_errors("sqs"):
            self.client.send_message(
                QueueUrl=self.admission_url,
                MessageBody=AdmissionMessage(wake=True).to_wire(),
                DelaySeconds=_delay_seconds(after),
            )

    def dispatch(self, messages: Sequence[DispatchMessage], *, after: timedelta = timedelta()) -> None:
        for url, chosen in (
            (self.executor_url, [each for each in messages if each.cluster is None]),
            (self.launch_url, [each for each in messages if each.cluster is not None]),
        ):
            for start in range(0, len(chosen), _BATCH):
                self._send(
                    url, [message.to_wire() for message in chosen[start : start + _BATCH]], after=after
                )

    def watch(self, run_id: str, *, delay: timedelta) -> None:
        with aws_errors("sqs"):
            self.client.send_message(
                QueueUrl=self.watch_url,
                MessageBody=WatchMessage(run_id=run_id).to_wire(),
                DelaySeconds=_delay_seconds(delay),
            )

    def _send(self, url: str, bodies: Sequence[str], *, after: timedelta) -> None:
        """Send one batch, and again what of it the service could not take."""
        delay = {"DelaySeconds": _delay_seconds(after)} if after else {}
        entries: list[Any] = [
            {"Id": str(number), "MessageBody": body, **delay} for number, body in enumerate(bodies)
        ]
        for attempt in range(_ATTEMPTS):
            with aws_errors("sqs"):
                answer = self.client.send_message_batch(QueueUrl=url, Entries=entries)
            failed = {failure["Id"]: failure for failure in answer.get("Failed", [])}
            if not failed:
                return
            entries = [entry for entry in entries if entry["Id"] in failed]
            self.pause(0.1 * 2.0**attempt)
        codes = sorted({failure["Code"] for failure in failed.values()})
        raise DependencyError(f"sqs did not take {len(failed)} messages ({', '.join(codes)})")


@dataclass(frozen=True)
class ArchiveQueue:
    """Orders of archives, for the builder."""

    client: "SQSClient"
    url: str

    def __call__(self, message: ArchiveMessage) -> None:
        """Order one."""
        with aws_errors("sqs"):
            self.client.send_message(QueueUrl=self.url, MessageBody=message.to_wire())


@dataclass(frozen=True)
class ExecutorQueue:
    """The executor's queue, as a pool runner reads it."""

    client: "SQSClient"
    url: str

    def receive(self, limit: int, *, wait_seconds: int) -> list[tuple[str, DispatchMessage]]:
        """Up to `limit` messages (10 at most) with their receipts; waits up to 20 s for the first.

        A body that nobody can read is left alone: the queue moves it to its dead letters by itself.
        """
        with aws_errors("sqs"):
            answer = self.client.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=min(limit, _BATCH), WaitTimeSeconds=wait_seconds
            )
        found = []
        for message in answer.get("Messages", []):
            try:
                body = DispatchMessage.model_validate_json(message["Body"])
            except ValidationError:
                continue
            found.append((message["ReceiptHandle"], body))
        return found

    def delete(self, receipt: str) -> None:
        """The message is dealt with. No error when its receipt is over: it comes again and is found stale."""
        with aws_errors("sqs"), _gone_is_fine():
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)

    def release(self, receipt: str) -> None:
        """Let another runner have the message at once. No error when its receipt is over."""
        with aws_errors("sqs"), _gone_is_fine():
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=0
            )


def _delay_seconds(delay: timedelta) -> int:
    """Whole seconds, never sooner than asked."""
    return ceil(min(max(delay, timedelta()), _LONGEST_DELAY).total_seconds())


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) not in _GONE:
            raise
