"""The stand-in for a payment provider."""

import pytest
from shop.payment import DECLINED_CARD, PaymentDeclinedError, Payments


def test_a_repeated_charge_counts_once() -> None:
    payments = Payments()
    for _ in range(2):
        payments.charge(reference="order-1", card="4242424242424242", amount_cents=1740)
    assert payments.charged("order-1") == 1740


def test_a_refund_gives_everything_back() -> None:
    payments = Payments()
    payments.charge(reference="order-1", card="4242424242424242", amount_cents=1740)
    payments.refund(reference="order-1")
    assert payments.charged("order-1") == 0


def test_a_declined_card_is_not_charged() -> None:
    payments = Payments()
    with pytest.raises(PaymentDeclinedError):
        payments.charge(reference="order-1", card=DECLINED_CARD, amount_cents=1740)
    assert payments.charged("order-1") == 0
