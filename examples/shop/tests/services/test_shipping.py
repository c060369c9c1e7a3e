"""Fulfilment: told at least once, shipped once."""

import json
import threading
from dataclasses import dataclass, field

import pytest
from shop.kit.calls import DependencyError, Outcome
from shop.kit.metrics import Metrics
from shop.queues.broker import Broker
from shop.shipping import Shipping


@dataclass
class Desk:
    """Knows one order, and may be down."""

    down: bool = False
    shipped: list[str] = field(default_factory=list)

    def ship(self, order_id: str) -> bool:
        if self.down:
            raise DependencyError("order", Outcome.UNREACHABLE)
        self.shipped.append(order_id)
        return order_id == "order-1"


@pytest.fixture
def shipping() -> Shipping:
    return Shipping(queue=Broker(), orders=Desk(), metrics=Metrics("fulfilment"))


def deliver(shipping: Shipping, *bodies: str) -> None:
    for body in bodies:
        shipping.queue.send(body)
    for message in shipping.queue.receive(wait_seconds=0):
        shipping.handle(message)


def placed(order_id: str) -> str:
    return json.dumps({"type": "order-placed", "order": order_id})


def outcome(shipping: Shipping, name: str) -> bool:
    return f'messages_total{{service="fulfilment",outcome="{name}"}} 1' in shipping.metrics.text()


def test_an_order_that_is_told_twice_is_shipped_once(shipping: Shipping) -> None:
    deliver(shipping, placed("order-1"), placed("order-1"))
    assert shipping.orders.shipped == ["order-1"]
    assert outcome(shipping, "shipped")
    assert outcome(shipping, "repeated")
    assert shipping.queue.depth() == 0


@pytest.mark.parametrize("body", [placed("order-2"), "no json", "[]", "{}"])
def test_a_message_of_no_use_is_dropped(shipping: Shipping, body: str) -> None:
    deliver(shipping, body)
    assert outcome(shipping, "dropped")
    assert shipping.queue.depth() == 0


def test_a_message_stays_while_the_order_service_is_away(shipping: Shipping) -> None:
    shipping.orders.down = True
    with pytest.raises(DependencyError):
        deliver(shipping, placed("order-1"))
    assert shipping.queue.depth() == 1
    assert outcome(shipping, "postponed")


def test_the_oldest_age_is_that_of_what_is_not_done(shipping: Shipping) -> None:
    stop = threading.Event()
    shipping.orders.down = True
    shipping.queue.send(placed("order-1"))
    worker = threading.Thread(target=shipping.consume, args=(stop,))
    worker.start()
    while shipping.oldest_age(1) == 0.0:
        stop.wait(0.01)
    stop.set()
    worker.join()
    assert 0 < shipping.oldest_age(1) < 10
    assert shipping.oldest_age(0) == 0.0
