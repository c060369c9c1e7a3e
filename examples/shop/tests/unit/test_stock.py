"""Reserving and releasing goods."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from shop.stock import OutOfStockError, Stock


def test_reserving_takes_pieces() -> None:
    stock = Stock({"mug": 10})
    stock.reserve({"mug": 3})
    assert stock.level("mug") == 7


def test_reserving_too_many_takes_nothing() -> None:
    stock = Stock({"mug": 10, "lamp": 1})
    with pytest.raises(OutOfStockError, match="1 of lamp left, 2 asked for"):
        stock.reserve({"mug": 3, "lamp": 2})
    assert (stock.level("mug"), stock.level("lamp")) == (10, 1)


def test_releasing_puts_pieces_back() -> None:
    stock = Stock({"mug": 10})
    stock.reserve({"mug": 3})
    stock.release({"mug": 3})
    assert stock.level("mug") == 10


def test_concurrent_orders_never_sell_the_same_piece_twice() -> None:
    stock = Stock({"mug": 50})

    def buy(_: int) -> bool:
        try:
            stock.reserve({"mug": 1})
        except OutOfStockError:
            return False
        return True

    with ThreadPoolExecutor(max_workers=8) as buyers:
        sold = sum(buyers.map(buy, range(200)))
    assert (sold, stock.level("mug")) == (50, 0)
