"""What the services look like to each other: the ports of `shop.orders` and of fulfilment, over HTTP and the queue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from shop.kit.calls import Peer
from shop.payment import PaymentDeclinedError
from shop.queues import Queue
from shop.stock import OutOfStockError


@dataclass(frozen=True, slots=True)
class InventoryClient:
    """The inventory service."""

    peer: Peer

    def reserve(self, reference: str, items: Mapping[str, int]) -> None:
        reply = self.peer.call("POST", "/reservations", {"reference": reference, "items": dict(items)})
        if reply.status == HTTPStatus.CONFLICT:
            raise OutOfStockError(reply.body["error"])
        reply.expect(HTTPStatus.CREATED)

    def release(self, reference: str) -> None:
        self.peer.call("DELETE", f"/reservations/{reference}").expect(HTTPStatus.OK)

    def levels(self) -> Mapping[str, int]:
        levels: Mapping[str, int] = self.peer.call("GET", "/stock").expect(HTTPStatus.OK)
        return levels


@dataclass(frozen=True, slots=True)
class PaymentClient:
    """The payment service."""

    peer: Peer

    def charge(self, *, reference: str, card: str, amount_cents: int) -> None:
        charge = {"reference": reference, "card": card, "amountCents": amount_cents}
        reply = self.peer.call("POST", "/charges", charge)
        if reply.status == HTTPStatus.PAYMENT_REQUIRED:
            raise PaymentDeclinedError(reply.body["error"])
        reply.expect(HTTPStatus.CREATED)

    def refund(self, *, reference: str) -> None:
        self.peer.call("DELETE", f"/charges/{reference}").expect(HTTPStatus.OK)


@dataclass(frozen=True, slots=True)
class QueueAnnouncer:
    """Tells fulfilment through the queue."""

    queue: Queue

    def order_placed(self, order_id: str) -> None:
        self.queue.send(json.dumps({"type": "order-placed", "order": order_id}))


@dataclass(frozen=True, slots=True)
class OrderClient:
    """The order service, as fulfilment knows it."""

    peer: Peer

    def ship(self, order_id: str) -> bool:
        """Tell that an order was sent off. False: it is unknown, or not to be shipped any more."""
        reply = self.peer.call("PUT", f"/orders/{order_id}/state", {"state": "shipped"})
        if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            return False
        reply.expect(HTTPStatus.OK)
        return True
