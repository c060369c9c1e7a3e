"""What an order costs."""

import pytest
from shop.orders import OrderError, total_cents


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({"mug": 1}, 1250 + 490),
        ({"mug": 2}, 2500 + 490),
        ({"lamp": 1}, 4900 + 490),
        ({"mug": 4}, 5000),
        ({"lamp": 1, "mug": 1}, 6150),
        ({"chair": 2}, 17800),
    ],
)
def test_shipping_is_free_from_fifty_on(items: dict[str, int], expected: int) -> None:
    assert total_cents(items) == expected


def test_an_empty_order_is_refused() -> None:
    with pytest.raises(OrderError, match="at least one article"):
        total_cents({})


def test_an_unknown_article_is_named() -> None:
    with pytest.raises(OrderError, match="there is no article 'sofa'"):
        total_cents({"sofa": 1})


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_below_one_is_refused(quantity: int) -> None:
    with pytest.raises(OrderError, match="must be at least 1"):
        total_cents({"mug": quantity})
