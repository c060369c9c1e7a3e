"""Orders over HTTP."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from shop.payment import DECLINED_CARD
from shop.stock import Stock

CARD = "4242424242424242"


def order(**items: int) -> dict[str, Any]:
    return {"items": items, "card": CARD}


def test_health_answers(shop: Any) -> None:
    assert shop.send("GET", "/healthz") == (200, {"status": "ok"})


def test_products_tell_price_and_stock(shop: Any) -> None:
    status, products = shop.send("GET", "/products")
    assert status == 200
    assert products[0] == {"sku": "mug", "name": "Enamel mug", "price_cents": 1250, "in_stock": 10}


def test_an_order_is_paid_and_takes_stock(shop: Any) -> None:
    status, placed = shop.send("POST", "/orders", order(mug=2))
    assert (status, placed["state"], placed["total_cents"]) == (201, "paid", 2990)
    assert shop.in_stock("mug") == 8


def test_a_placed_order_can_be_read(shop: Any) -> None:
    _, placed = shop.send("POST", "/orders", order(lamp=1))
    assert shop.send("GET", f"/orders/{placed['id']}") == (200, placed)


def test_an_unknown_order_is_not_found(shop: Any) -> None:
    assert shop.send("GET", "/orders/order-99999") == (404, {"error": "there is nothing here"})


def test_a_cancelled_order_gives_stock_back_once(shop: Any) -> None:
    _, placed = shop.send("POST", "/orders", order(chair=2))
    for _ in range(2):
        status, cancelled = shop.send("DELETE", f"/orders/{placed['id']}")
        assert (status, cancelled["state"]) == (200, "cancelled")
    assert shop.in_stock("chair") == 2


def test_more_than_is_left_is_refused(shop: Any) -> None:
    status, answer = shop.send("POST", "/orders", order(chair=3))
    assert (status, answer) == (409, {"error": "2 of chair left, 3 asked for"})


@pytest.mark.parametrize(
    "body",
    [{}, {"items": {"mug": 1}}, {"items": ["mug"], "card": CARD}, {"items": {"mug": "many"}, "card": CARD}],
    ids=["empty", "no-card", "items-as-list", "quantity-as-word"],
)
def test_a_body_of_another_shape_is_refused(shop: Any, body: Any) -> None:
    status, answer = shop.send("POST", "/orders", body)
    assert status == 422
    assert "the body is not like" in answer["error"]


class LeakyStock(Stock):
    """The fault that the demo shows: released goods are lost. Only SHOP_DEMO_FAILURE=1 uses it."""

    def release(self, items: Mapping[str, int]) -> None:
        return None


def test_a_declined_card_gives_the_stock_back(open_shop: Callable[..., Any]) -> None:
    levels = {"mug": 10}
    leaky = os.environ.get("SHOP_DEMO_FAILURE") == "1"
    shop = open_shop(LeakyStock(levels) if leaky else Stock(levels))

    status, answer = shop.send("POST", "/orders", {"items": {"mug": 3}, "card": DECLINED_CARD})

    assert (status, answer) == (402, {"error": "the card was declined"})
    left = shop.in_stock("mug")
    assert left == 10, f"the declined order kept {10 - left} mugs: {left} in stock instead of 10"
