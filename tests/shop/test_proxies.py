"""The shop's connections through a real Toxiproxy."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from crosswind.local.home import LocalError
from crosswind.local.processes import free_ports, stop
from crosswind.local.toxiproxy import ensure_toxiproxy, start_toxiproxy
from tests.shop.running import Shop

pytestmark = pytest.mark.xdist_group("shop")

EDGES = ["client-to-order", "fulfilment-to-order", "order-to-inventory", "order-to-payment"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    try:
        binary = ensure_toxiproxy(print)
    except LocalError as missing:
        pytest.skip(str(missing))
    port = free_ports(1)[0]
    process = start_toxiproxy(binary, port=port, log=tmp_path / "toxiproxy.log")
    yield f"http://127.0.0.1:{port}"
    stop(process, grace_seconds=2)


@pytest.fixture
def shop(tmp_path: Path, server: str) -> Iterator[Shop]:
    """A shop whose connections lead through the server, without the fix."""
    shop = Shop(tmp_path / "shop")
    shop.local("up", "--toxiproxy", server)
    yield shop
    shop.local("down")


def call(method: str, url: str, body: object = None) -> httpx.Response:
    return httpx.request(method, url, json=body, timeout=5, trust_env=False)


def test_each_connection_leads_through_a_proxy_that_can_be_made_again(shop: Shop, server: str) -> None:
    made = call("GET", f"{server}/proxies").json()
    assert sorted(made) == EDGES
    assert {name: (each["listen"], each["upstream"]) for name, each in made.items()} == {
        name: (each["listen"], each["upstream"]) for name, each in shop.registry["proxies"].items()
    }

    slow = {"name": "slow", "type": "latency", "attributes": {"latency": 300}}
    call("POST", f"{server}/proxies/order-to-payment/toxics", slow)
    assert shop.local("proxies") == {"proxies": list(shop.registry["proxies"])}
    assert [each["name"] for each in call("GET", f"{server}/proxies/order-to-payment").json()["toxics"]] == [
        "slow"
    ]
    summary = shop.load(rate=20, seconds=0.2)
    assert summary["target"] == shop.registry["proxies"]["client-to-order"]["url"]
    assert summary["p50Ms"] > 300

    call("DELETE", f"{server}/proxies/order-to-payment")
    assert shop.ask("order", "POST", "/orders", body={"items": {"mug": 1}, "card": "1"}).status_code == 503
    shop.local("proxies")
    assert shop.load(rate=20, seconds=0.2)["steady"]

    shop.local("down")
    assert call("GET", f"{server}/proxies").json() == {}
