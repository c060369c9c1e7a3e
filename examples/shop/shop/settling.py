"""Catches up, in the background, on what is due for orders: late charges, refunds, releases, announcements."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from shop.kit.calls import DependencyError
from shop.kit.metrics import Labels
from shop.orderbook import Due
from shop.orders import Orders

_PAUSE_SECONDS = 0.25

log = logging.getLogger("shop.settling")


@dataclass(frozen=True, slots=True)
class Settler:
    """Goes through the orders that owe something, again and again.

    In a round, a kind of due is given up at its first failure: a service that does not answer is asked once a round, not
    once an order.
    """

    orders: Orders

    def __call__(self, stop: threading.Event) -> None:
        """Run until the event is set."""
        while not stop.wait(_PAUSE_SECONDS):
            self.settle_all(stop)

    def settle_all(self, stop: threading.Event) -> None:
        """One round."""
        given_up: set[Due] = set()
        for order_id, due in self.orders.book.owing().items():
            if stop.is_set():
                return
            if due[0] in given_up:
                continue
            try:
                self.orders.settle(order_id)
            except DependencyError as error:
                given_up.add(due[0])
                log.warning("%s waits: %s", due[0], error)

    def owing(self) -> Mapping[Labels, float]:
        """How many orders owe what, as a gauge."""
        counts = dict.fromkeys(Due, 0)
        for due in self.orders.book.owing().values():
            for each in due:
                counts[each] += 1
        return {(("due", due),): count for due, count in counts.items()}
