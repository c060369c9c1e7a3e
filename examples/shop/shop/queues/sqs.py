"""SQS, or what speaks its protocol at AWS_ENDPOINT_URL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from shop.kit.calls import DependencyError, Outcome
from shop.kit.metrics import CALLS, Metrics
from shop.queues import BATCH, INVISIBLE_SECONDS, Message

_TARGET = "queue"
_LIMITS = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})


@dataclass
class SqsQueue:
    """One queue of SQS; made at its first use when it is missing, again when it was lost."""

    name: str
    client: Any
    metrics: Metrics

    @classmethod
    def named(cls, name: str, *, metrics: Metrics) -> "SqsQueue":
        """The queue of the account that the environment gives."""
        return cls(name, boto3.client("sqs", config=_LIMITS), metrics)

    def send(self, body: str) -> None:
        with self._called():
            self.client.send_message(QueueUrl=self._url, MessageBody=body)

    def receive(self, *, wait_seconds: int) -> Sequence[Message]:
        with self._called():
            answer = self.client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return [_message(each) for each in answer.get("Messages", ())]

    def delete(self, receipt: str) -> None:
        with self._called():
            self.client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    def depth(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with self._called():
            answer = self.client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    @cached_property
    def _url(self) -> str:
        attributes = {"VisibilityTimeout": str(INVISIBLE_SECONDS)}
        return str(self.client.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"])

    @contextmanager
    def _called(self) -> Iterator[None]:
        """Count a call, and turn boto3's errors into the shop's."""
        try:
            yield
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise self._failed(Outcome.TIMEOUT) from error
        except ClientError as error:
            self.__dict__.pop(
                "_url", None
            )  # the queue may be gone: look for it, or make it, at the next call
            raise self._failed(Outcome.FAILED) from error
        except BotoCoreError as error:
            raise self._failed(Outcome.UNREACHABLE) from error
        self.metrics.add(CALLS, target=_TARGET, outcome=Outcome.OK)

    def _failed(self, outcome: Outcome) -> DependencyError:
        self.metrics.add(CALLS, target=_TARGET, outcome=outcome)
        return DependencyError(_TARGET, outcome)


def _message(raw: dict[str, Any]) -> Message:
    return Message(
        id=raw["MessageId"],
        body=raw["Body"],
        receipt=raw["ReceiptHandle"],
        sent_at=int(raw["Attributes"]["SentTimestamp"]) / 1000,
    )
