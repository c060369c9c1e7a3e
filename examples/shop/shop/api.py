"""The HTTP API: GET /products, POST /orders, GET and DELETE /orders/{id}, GET /health."""

import json
import logging
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from shop.catalogue import CATALOGUE
from shop.orders import OrderError, Orders
from shop.payment import PaymentDeclinedError
from shop.stock import OutOfStockError

MAX_BODY_BYTES = 64 * 1024

log = logging.getLogger("shop.api")


class ShopServer(ThreadingHTTPServer):
    """Serves one shop. Port 0 takes a free one; `server_port` tells which."""

    daemon_threads = True

    def __init__(self, orders: Orders, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.orders = orders


class _Handler(BaseHTTPRequestHandler):
    @property
    def _orders(self) -> Orders:
        return cast("ShopServer", self.server).orders

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(HTTPStatus.OK, {"status": "ok"})
        elif self.path == "/products":
            self._answer(HTTPStatus.OK, [self._product(sku) for sku in CATALOGUE])
        else:
            self._answer_order(self._orders.get(self._order_id()))

    def do_DELETE(self) -> None:
        self._answer_order(self._orders.cancel(self._order_id()))

    def do_POST(self) -> None:
        if self.path != "/orders":
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
            return
        try:
            items, card = self._read_order()
            order = self._orders.place(items, card=card)
        except OrderError as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        except OutOfStockError as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except PaymentDeclinedError as error:
            self._refuse(HTTPStatus.PAYMENT_REQUIRED, str(error))
        else:
            self._answer(HTTPStatus.CREATED, asdict(order))

    def log_message(self, format: str, *args: Any) -> None:
        log.info(format, *args)

    def _order_id(self) -> str:
        return self.path.removeprefix("/orders/")

    def _product(self, sku: str) -> dict[str, Any]:
        return {**asdict(CATALOGUE[sku]), "in_stock": self._orders.stock.level(sku)}

    def _read_order(self) -> tuple[dict[str, int], str]:
        length = int(self.headers.get("Content-Length", "0"))
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            raise OrderError(f"the body is larger than {MAX_BODY_BYTES} bytes")
        try:
            body = json.loads(self.rfile.read(length))
            items, card = _whole_numbers(body["items"]), str(body["card"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OrderError('the body is not like {"items": {"mug": 1}, "card": "…"}') from error
        return items, card

    def _answer_order(self, order: Any) -> None:
        if order is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        else:
            self._answer(HTTPStatus.OK, asdict(order))

    def _refuse(self, status: HTTPStatus, error: str) -> None:
        self._answer(status, {"error": error})

    def _answer(self, status: HTTPStatus, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _whole_numbers(items: dict[str, Any]) -> dict[str, int]:
    if not all(type(quantity) is int for quantity in items.values()):
        raise TypeError("a quantity is a whole number")
    return items
