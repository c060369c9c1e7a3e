"""Ships placed orders: at least once told, once shipped."""

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from shop.kit.calls import DependencyError
from shop.kit.kept import Records
from shop.kit.metrics import MESSAGES, QUEUE_AGE, QUEUE_DEPTH, Metrics
from shop.queues import Message, Queue

_POLL_SECONDS = 5
_WATCH_SECONDS = 1.0
_PAUSE_SECONDS = 0.5

log = logging.getLogger("shop.shipping")


class OrderDesk(Protocol):
    """Knows the orders. May raise DependencyError."""

    def ship(self, order_id: str) -> bool:
        """Tell that an order was sent off. False: it is unknown, or not to be shipped any more."""


@dataclass
class Shipping:
    """Takes messages from the queue until each is done: shipped, shipped before, or of no use."""

    queue: Queue
    orders: OrderDesk
    metrics: Metrics
    shipped: Records = field(default_factory=dict)
    name: str = "order-placed"
    _open: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def consume(self, stop: threading.Event) -> None:
        """Ship until the event is set."""
        while not stop.is_set():
            try:
                messages = self.queue.receive(wait_seconds=_POLL_SECONDS)
                self._note(*messages)
                for message in messages:
                    if not stop.is_set():
                        self.handle(message)
            except DependencyError as error:
                log.warning("waiting: %s", error)
                stop.wait(_PAUSE_SECONDS)

    def watch(self, stop: threading.Event) -> None:
        """Keep the queue's gauges until the event is set; apart from `consume`, which may have to wait."""
        while not stop.wait(_WATCH_SECONDS):
            try:
                depth = self.queue.depth()
            except DependencyError as error:
                log.warning("the queue's depth is unknown: %s", error)
                continue
            self.metrics.set(QUEUE_DEPTH, depth, queue=self.name)
            self.metrics.set(QUEUE_AGE, round(self.oldest_age(depth), 3), queue=self.name)

    def handle(self, message: Message) -> None:
        """Ship the order of a message, and delete it. Raises DependencyError; the message comes again then."""
        order_id = _order_of(message)
        try:
            outcome = self._ship(order_id)
            self.queue.delete(message.receipt)
        except DependencyError:
            self.metrics.add(MESSAGES, outcome="postponed")
            raise
        with self._lock:
            self._open.pop(message.id, None)
        self.metrics.add(MESSAGES, outcome=outcome)
        log.info("order %s: %s", order_id, outcome)

    def oldest_age(self, depth: int) -> float:
        """Seconds since the oldest message that was taken and is not done was sent; 0 when the queue is empty."""
        with self._lock:
            if depth == 0:
                self._open.clear()  # what was taken and not deleted here was done by another
            return time.time() - min(self._open.values()) if self._open else 0.0

    def _note(self, *messages: Message) -> None:
        with self._lock:
            self._open.update({message.id: message.sent_at for message in messages})

    def _ship(self, order_id: str | None) -> str:
        if order_id is None:
            return "dropped"
        if order_id in self.shipped:
            return "repeated"
        if not self.orders.ship(order_id):
            return "dropped"
        self.shipped[order_id] = True
        return "shipped"


def _order_of(message: Message) -> str | None:
    try:
        return str(json.loads(message.body)["order"])
    except (ValueError, KeyError, TypeError):
        log.error("a message that is no order: %s", message.body[:200])  # noqa: TRY400  # the body is the news, not the trace
        return None
