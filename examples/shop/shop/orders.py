"""Orders: reserve the goods, take the money, keep the record."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shop.catalogue import CATALOGUE
from shop.payment import PaymentDeclinedError, Payments
from shop.stock import Stock

FREE_SHIPPING_FROM_CENTS = 5000
SHIPPING_CENTS = 490

log = logging.getLogger("shop.orders")


class OrderError(Exception):
    """The order cannot be placed as it is."""


class OrderState(StrEnum):
    """Where an order is."""

    PAID = "paid"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order."""

    id: str
    items: Mapping[str, int]
    total_cents: int
    state: OrderState


def total_cents(items: Mapping[str, int]) -> int:
    """The price of some articles with shipping, which is free from 50.00 on. Raises OrderError."""
    if not items:
        raise OrderError("an order needs at least one article")
    goods = 0
    for sku, quantity in items.items():
        if sku not in CATALOGUE:
            raise OrderError(f"there is no article {sku!r}")
        if quantity < 1:
            raise OrderError(f"the quantity of {sku} is {quantity}; it must be at least 1")
        goods += CATALOGUE[sku].price_cents * quantity
    return goods if goods >= FREE_SHIPPING_FROM_CENTS else goods + SHIPPING_CENTS


@dataclass
class Orders:
    """Places, shows and cancels orders."""

    stock: Stock
    payments: Payments
    _placed: dict[str, Order] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: int = 0

    def place(self, items: Mapping[str, int], *, card: str) -> Order:
        """Place an order. Raises OrderError, OutOfStockError, or PaymentDeclinedError with the stock given back."""
        total = total_cents(items)
        self.stock.reserve(items)
        order = Order(id=self._next_id(), items=dict(items), total_cents=total, state=OrderState.PAID)
        try:
            self.payments.charge(reference=order.id, card=card, amount_cents=total)
        except PaymentDeclinedError:
            log.warning("order %s: card declined, releasing %s", order.id, order.items)
            self.stock.release(items)
            raise
        with self._lock:
            self._placed[order.id] = order
        log.info("order %s: paid, %d cents", order.id, total)
        return order

    def get(self, order_id: str) -> Order | None:
        """The order, or None."""
        with self._lock:
            return self._placed.get(order_id)

    def cancel(self, order_id: str) -> Order | None:
        """Refund an order and give its goods back, once; None when there is no such order."""
        with self._lock:
            order = self._placed.get(order_id)
            if order is None or order.state is OrderState.CANCELLED:
                return order
            order = replace(order, state=OrderState.CANCELLED)
            self._placed[order_id] = order
        self.payments.refund(reference=order_id)
        self.stock.release(order.items)
        log.info("order %s: cancelled", order_id)
        return order

    def _next_id(self) -> str:
        with self._lock:
            self._numbers += 1
            return f"order-{self._numbers:05d}"
