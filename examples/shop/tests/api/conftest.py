"""A shop served on a free port of 127.0.0.1, and a client for it."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from shop.api import ShopServer
from shop.orders import Orders
from shop.payment import Payments
from shop.reservations import Reservations
from shop.stock import Stock

LEVELS = {"mug": 10, "lamp": 5, "chair": 2}


class ShopClient:
    """Speaks JSON with one server."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the decoded body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def in_stock(self, sku: str) -> int:
        """Pieces left, as GET /products tells."""
        _, products = self.send("GET", "/products")
        return next(product["in_stock"] for product in products if product["sku"] == sku)


@pytest.fixture
def open_shop() -> Iterator[Callable[..., ShopClient]]:
    """Opens shops, each with a stock of its own, and closes them after the test."""
    servers: list[ShopServer] = []

    def start(stock: Stock | None = None) -> ShopClient:
        inventory = Reservations(stock or Stock(LEVELS))
        server = ShopServer(Orders(inventory=inventory, payments=Payments()))
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return ShopClient(server.server_port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def shop(open_shop: Callable[..., ShopClient]) -> ShopClient:
    """A shop as it is delivered."""
    return open_shop()
