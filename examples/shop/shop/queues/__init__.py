"""How paid orders reach fulfilment: one port, with SQS behind it or the shop's own broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shop.environment import Settings
from shop.kit.metrics import Metrics

BATCH = 10
INVISIBLE_SECONDS = 10  # for so long a message that was taken is nobody else's


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was taken; it comes again unless it is deleted in time."""

    id: str
    body: str
    receipt: str
    sent_at: float  # seconds since 1970


class Queue(Protocol):
    """Delivers at least once, in any order. Every method may raise DependencyError."""

    def send(self, body: str) -> None:
        """Put a message in."""

    def receive(self, *, wait_seconds: int) -> Sequence[Message]:
        """Take up to ten messages; waits for the first, in vain for so long at most."""

    def delete(self, receipt: str) -> None:
        """Say that a message is done."""

    def depth(self) -> int:
        """Messages that are not done, those in work included."""


def open_queue(settings: Settings, *, metrics: Metrics) -> Queue:
    """The broker's queue where the settings name a broker, else SQS's, made if it is missing."""
    if settings.broker_url:
        from shop.queues.broker import BrokerQueue  # noqa: PLC0415  # it imports this module

        return BrokerQueue.at(settings.broker_url, metrics=metrics)
    from shop.queues.sqs import SqsQueue  # noqa: PLC0415  # boto3 is needed for SQS alone

    return SqsQueue.named(settings.queue, metrics=metrics)
