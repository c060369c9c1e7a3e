"""What experiments on the shop are to find: its planted weakness, that the switch mends it, and that nothing else gives way.

The steady state is the load's own: 95 of 100 orders accepted, p95 under 800 ms.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shop.running import Shop, python, runs, slow_line, until

pytestmark = pytest.mark.xdist_group("shop")

FIX = "0.2"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop that stands alone: no SQS, no Toxiproxy."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.local("up")
    yield shop
    shop.local("down")


def test_orders_are_accepted_charged_and_shipped(shop: Shop) -> None:
    shop.set()
    summary = shop.steady_load()
    assert summary["steady"]
    assert summary["states"] == {"paid": summary["sent"]}
    order = shop.buy()
    until(lambda: shop.state(order["id"]) == "shipped")
    assert shop.ask("payment", "GET", f"/charges/{order['id']}").json() == {"cents": order["total_cents"]}
    until(lambda: shop.metric("fulfilment", "messages_total", outcome="shipped") > summary["sent"])
    until(lambda: shop.metric("fulfilment", "queue_depth") == 0)
    assert shop.metric("order", "http_requests_total", route="/orders", status="201") > summary["sent"]


def test_a_slow_inventory_is_borne_without_the_fix(shop: Shop) -> None:
    with slow_line(shop.service("inventory"), seconds=0.2) as slow:
        shop.set(SHOP_INVENTORY_URL=slow)
        summary = shop.steady_load()
    assert summary["steady"]
    assert summary["p50Ms"] > 200


def test_a_frozen_payment_takes_order_down_without_the_fix(shop: Shop) -> None:
    shop.set()
    with shop.frozen("payment"):
        summary = shop.load(timeout=0.6)
        assert summary["successRatio"] == 0
        until(lambda: shop.metric("order", "http_requests_in_flight") == 32)  # all workers, for good
        assert (
            shop.ask("order", "GET", "/products").status_code == 503
        )  # which payment has nothing to do with
    until(lambda: shop.metric("order", "http_requests_in_flight") == 0)
    assert shop.buy()["state"] == "paid"


def test_a_frozen_payment_is_borne_with_the_fix(shop: Shop) -> None:
    shop.set(SHOP_PAYMENT_TIMEOUT=FIX)
    with shop.frozen("payment"):
        summary = shop.steady_load()
        order = shop.buy()
    assert summary["steady"]
    assert summary["states"] == {"payment-pending": summary["sent"]}
    assert order["state"] == "payment-pending"
    until(lambda: shop.state(order["id"]) == "shipped")
    assert shop.ask("payment", "GET", f"/charges/{order['id']}").json() == {"cents": order["total_cents"]}
    until(lambda: shop.metric("order", "orders_due") == 0)


def test_a_slow_payment_is_borne_with_the_fix(shop: Shop) -> None:
    with slow_line(shop.service("payment"), seconds=2) as slow:
        shop.set(SHOP_PAYMENT_URL=slow, SHOP_PAYMENT_TIMEOUT=FIX)
        summary = shop.steady_load()
    assert summary["steady"]
    assert summary["states"] == {"payment-pending": summary["sent"]}


@pytest.mark.parametrize("name", ["order", "broker"])
def test_a_killed_service_starts_again_from_the_registry_and_has_lost_nothing(shop: Shop, name: str) -> None:
    shop.set()
    order = shop.buy()
    before = shop.service(name)
    os.kill(before["pid"], signal.SIGKILL)
    code = f"from shop.local import start_again; start_again({name!r}, {str(shop.home)!r})"
    for _ in range(2):  # the second time it runs already
        started = python("-c", code)
        assert started.returncode == 0, started.stderr
        after = shop.service(name)
    assert after["pid"] != before["pid"]
    assert {**after, "pid": 0, "startedAt": 0} == {**before, "pid": 0, "startedAt": 0}
    until(lambda: shop.state(order["id"]) == "shipped", seconds=15)


def test_up_refuses_where_a_shop_runs_and_says_what_to_do(shop: Shop) -> None:
    second = python("-m", "shop.local", "up", "--home", str(shop.home))
    assert second.returncode == 1
    assert "`down` ends it" in second.stderr


def test_down_ends_all_that_up_started(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.local("up")
    services = shop.registry["services"]
    assert list(services) == ["broker", "inventory", "payment", "order", "fulfilment"]
    os.kill(services["payment"]["pid"], signal.SIGSTOP)
    assert shop.local("down") == {"ended": ["fulfilment", "order", "payment", "inventory", "broker"]}
    assert not [name for name, each in services.items() if runs(each["pid"])]
    assert not (tmp_path / "application.json").exists()
