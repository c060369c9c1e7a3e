"""Orders: reserve the goods, take the money, keep the record, and catch up on what could not be done at once."""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from shop.catalogue import CATALOGUE
from shop.kit.calls import DependencyError
from shop.orderbook import Due, Entry, Order, OrderBook, OrderState
from shop.payment import PaymentDeclinedError
from shop.stock import OutOfStockError

FREE_SHIPPING_FROM_CENTS = 5000
SHIPPING_CENTS = 490
_UNDONE = (OrderState.CANCELLED, OrderState.DECLINED)

log = logging.getLogger("shop.orders")


class OrderError(Exception):
    """The order cannot be placed as it is."""


class OrderStateError(Exception):
    """The order is in a state that does not allow this."""


class Inventory(Protocol):
    """Sets goods aside. Any method may raise DependencyError."""

    def reserve(self, reference: str, items: Mapping[str, int]) -> None:
        """Raises OutOfStockError, and takes nothing, if any article is short."""

    def release(self, reference: str) -> None:
        """Put the pieces back."""

    def levels(self) -> Mapping[str, int]:
        """Pieces left, by article."""


class Cashier(Protocol):
    """Takes money and gives it back. Any method may raise DependencyError."""

    def charge(self, *, reference: str, card: str, amount_cents: int) -> None:
        """Raises PaymentDeclinedError."""

    def refund(self, *, reference: str) -> None:
        """Give back what was charged, if anything was."""


class Announcer(Protocol):
    """Tells whoever ships that an order was placed. May raise DependencyError."""

    def order_placed(self, order_id: str) -> None:
        """Tell it at least once."""


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


def random_id() -> str:
    """A name for an order."""
    return f"order-{secrets.token_hex(6)}"


@dataclass
class Orders:
    """Places, shows, ships and cancels orders.

    With `pay_later`, an order whose charge gets no answer is accepted, and charged when payment works again. Without an
    announcer, paid orders are told to nobody.
    """

    inventory: Inventory
    payments: Cashier
    book: OrderBook = field(default_factory=OrderBook)
    announcer: Announcer | None = None
    pay_later: bool = False
    new_id: Callable[[], str] = random_id

    def place(self, items: Mapping[str, int], *, card: str) -> Order:
        """Place an order. Raises OrderError, OutOfStockError, PaymentDeclinedError or DependencyError; no order is left then."""
        order = Order(
            id=self.new_id(), items=dict(items), total_cents=total_cents(items), state=OrderState.CANCELLED
        )
        # Until it is paid, an order is one to be undone: so a crash leaves it, and so the next start finds it.
        self.book.open(Entry(order, card, due=(Due.REFUND, Due.RELEASE)))
        try:
            self.inventory.reserve(order.id, order.items)
        except OutOfStockError:
            self.book.forget(order.id)
            raise
        except DependencyError:
            self._move(order.id, OrderState.CANCELLED, Due.RELEASE)
            raise
        return self._charge_first(order, card=card)

    def get(self, order_id: str) -> Order | None:
        """The order, or None."""
        entry = self.book.get(order_id)
        return entry.order if entry else None

    def cancel(self, order_id: str) -> Order | None:
        """Refund an order and give its goods back, once; None when there is no such order. Raises OrderStateError."""
        if self.book.get(order_id) is None:
            return None
        entry = self.book.change(order_id, _cancelled)
        self._try_to_settle(order_id)
        log.info("order %s: cancelled", order_id)
        return entry.order

    def ship(self, order_id: str) -> Order | None:
        """Note that a paid order was sent off, once; None when there is no such order. Raises OrderStateError."""
        if self.book.get(order_id) is None:
            return None
        return self.book.change(order_id, _shipped).order

    def settle(self, order_id: str) -> None:
        """Do what is due for an order, in turn. Raises DependencyError when the rest has to wait."""
        while (entry := self.book.get(order_id)) and entry.due:
            due = entry.due[0]
            match due:
                case Due.CHARGE:
                    self._charge_again(entry)
                    continue
                case Due.REFUND:
                    self.payments.refund(reference=order_id)
                case Due.RELEASE:
                    self.inventory.release(order_id)
                case Due.ANNOUNCE:
                    if self.announcer:
                        self.announcer.order_placed(order_id)
            self.book.change(order_id, partial(Entry.without, done=due))

    def _charge_first(self, order: Order, *, card: str) -> Order:
        try:
            self.payments.charge(reference=order.id, card=card, amount_cents=order.total_cents)
        except PaymentDeclinedError:
            log.warning("order %s: card declined, releasing %s", order.id, order.items)
            self._move(order.id, OrderState.DECLINED, Due.RELEASE)
            self._try_to_settle(order.id)
            raise
        except DependencyError:
            if not self.pay_later:
                self._move(order.id, OrderState.CANCELLED, Due.REFUND, Due.RELEASE)
                raise
            return self._move(order.id, OrderState.PAYMENT_PENDING, Due.CHARGE)
        return self._move(order.id, OrderState.PAID, *self._after_payment())

    def _charge_again(self, entry: Entry) -> None:
        order = entry.order
        try:
            self.payments.charge(reference=order.id, card=entry.card, amount_cents=order.total_cents)
            charged = entry.moved(OrderState.PAID, *self._after_payment())
        except PaymentDeclinedError:
            charged = entry.moved(OrderState.DECLINED, Due.RELEASE)
        waits = OrderState.PAYMENT_PENDING  # unless it was cancelled meanwhile, which takes back the charge
        kept = self.book.change(order.id, lambda kept: charged if kept.order.state is waits else kept)
        log.info("order %s: %s, after waiting", order.id, kept.order.state)

    def _after_payment(self) -> tuple[Due, ...]:
        return (Due.ANNOUNCE,) if self.announcer else ()

    def _move(self, order_id: str, state: OrderState, *due: Due) -> Order:
        order = self.book.change(order_id, lambda entry: entry.moved(state, *due)).order
        log.info("order %s: %s, %d cents", order_id, state, order.total_cents)
        return order

    def _try_to_settle(self, order_id: str) -> None:
        try:
            self.settle(order_id)
        except DependencyError as error:
            log.warning("order %s: to be settled later: %s", order_id, error)


def _cancelled(entry: Entry) -> Entry:
    if entry.order.state is OrderState.SHIPPED:
        raise OrderStateError("the order was shipped already")
    if entry.order.state in _UNDONE:
        return entry
    return entry.moved(OrderState.CANCELLED, Due.REFUND, Due.RELEASE)


def _shipped(entry: Entry) -> Entry:
    if entry.order.state is OrderState.SHIPPED:
        return entry
    if entry.order.state is not OrderState.PAID:
        raise OrderStateError(f"the order is not to be shipped: it is {entry.order.state}")
    # What tells of it may come before the announcement was noted as done; `due` stays as it is.
    return entry.moved(OrderState.SHIPPED, *entry.due)
