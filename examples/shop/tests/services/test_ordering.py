"""Orders while what they depend on fails: nobody pays for nothing, no piece is lost, every paid order is told."""

import threading
from typing import Any

import pytest
from shop.kit.calls import DependencyError
from shop.orderbook import Due, OrderState
from shop.orders import Orders, OrderStateError
from shop.payment import DECLINED_CARD
from shop.settling import Settler

CARD = "4242424242424242"


def settle(orders: Orders) -> None:
    Settler(orders).settle_all(threading.Event())


def test_a_paid_order_is_told_to_fulfilment(world: Any) -> None:
    orders = world.open(pay_later=False)
    order = orders.place({"mug": 2}, card=CARD)
    settle(orders)
    assert (order.state, world.announcer.told, world.mugs) == (OrderState.PAID, [order.id], 8)
    assert orders.book.owing() == {}


def test_without_the_fix_a_failed_charge_fails_the_order_and_everything_is_undone(world: Any) -> None:
    orders = world.open(pay_later=False)
    world.payments.answer_lost = True
    with pytest.raises(DependencyError):
        orders.place({"mug": 2}, card=CARD)
    assert world.charged("order-1") > 0  # the charge was made, though nobody was told
    settle(orders)
    assert (world.charged("order-1"), world.mugs, world.announcer.told) == (0, 10, [])


def test_with_the_fix_a_failed_charge_leaves_the_order_pending(world: Any) -> None:
    orders = world.open(pay_later=True)
    world.payments.down = True
    order = orders.place({"mug": 2}, card=CARD)
    settle(orders)
    assert orders.get(order.id).state is OrderState.PAYMENT_PENDING
    assert (world.mugs, world.announcer.told) == (8, [])


@pytest.mark.parametrize("fault", ["down", "answer_lost"])
def test_a_pending_order_is_charged_once_when_payment_works_again(world: Any, fault: str) -> None:
    orders = world.open(pay_later=True)
    setattr(world.payments, fault, True)
    order = orders.place({"mug": 2}, card=CARD)
    setattr(world.payments, fault, False)
    settle(orders)
    assert orders.get(order.id).state is OrderState.PAID
    assert (world.charged(order.id), world.announcer.told) == (order.total_cents, [order.id])


def test_a_pending_order_whose_card_is_declined_gives_its_goods_back(world: Any) -> None:
    orders = world.open(pay_later=True)
    world.payments.down = True
    order = orders.place({"mug": 2}, card=DECLINED_CARD)
    world.payments.down = False
    settle(orders)
    assert (orders.get(order.id).state, world.mugs) == (OrderState.DECLINED, 10)


def test_a_pending_order_that_is_cancelled_is_never_charged(world: Any) -> None:
    orders = world.open(pay_later=True)
    world.payments.down = True
    order = orders.place({"mug": 2}, card=CARD)
    orders.cancel(order.id)
    world.payments.down = False
    settle(orders)
    world.payments.charge(reference=order.id, card=CARD, amount_cents=1)  # one that was long on its way
    assert (world.charged(order.id), world.mugs, world.announcer.told) == (0, 10, [])


def test_a_reservation_without_an_answer_is_released(world: Any) -> None:
    orders = world.open(pay_later=True)
    world.inventory.answer_lost = True
    with pytest.raises(DependencyError):
        orders.place({"mug": 2}, card=CARD)
    settle(orders)
    world.inventory.inner.reserve("order-1", {"mug": 2})  # one that was long on its way
    assert world.mugs == 10


def test_an_order_that_a_crash_interrupts_is_undone_by_the_next_start(world: Any) -> None:
    class CrashError(Exception):
        """Ends the process in the middle of an order."""

    def crash(_: str) -> None:
        raise CrashError

    world.payments.lose = crash
    with pytest.raises(CrashError):
        world.open(pay_later=True).place({"mug": 2}, card=CARD)
    orders = world.open(pay_later=True)
    assert orders.book.owing() == {"order-1": (Due.REFUND, Due.RELEASE)}
    settle(orders)
    assert (world.charged("order-1"), world.mugs) == (0, 10)


def test_an_announcement_waits_until_the_queue_works(world: Any) -> None:
    orders = world.open(pay_later=False)
    world.announcer.down = True
    order = orders.place({"mug": 1}, card=CARD)
    settle(orders)
    assert order.state is OrderState.PAID
    world.announcer.down = False
    settle(orders)
    assert world.announcer.told == [order.id]


def test_a_service_that_does_not_answer_is_asked_once_a_round(world: Any) -> None:
    orders = world.open(pay_later=True)
    world.payments.down = True
    for _ in range(3):
        orders.place({"mug": 1}, card=CARD)
    asked: list[str] = []
    world.payments.check = lambda name: (
        asked.append(name) or world.payments.__class__.check(world.payments, name)
    )
    settle(orders)
    assert len(asked) == 1
    assert dict(Settler(orders).owing())[(("due", "charge"),)] == 3


def test_shipping_counts_once_and_only_for_paid_orders(world: Any) -> None:
    orders = world.open(pay_later=True)
    paid = orders.place({"mug": 1}, card=CARD)
    assert [orders.ship(paid.id).state for _ in range(2)] == [OrderState.SHIPPED] * 2
    with pytest.raises(OrderStateError, match="shipped already"):
        orders.cancel(paid.id)
    world.payments.down = True
    pending = orders.place({"mug": 1}, card=CARD)
    with pytest.raises(OrderStateError, match="payment-pending"):
        orders.ship(pending.id)
    assert orders.ship("order-99") is None
