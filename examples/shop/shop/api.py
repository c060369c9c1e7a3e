"""The HTTP API of orders: products, and orders placed, read, shipped and cancelled; and the page for people, at `/`."""

from dataclasses import asdict
from http import HTTPStatus

from shop.catalogue import CATALOGUE
from shop.kit.calls import DependencyError
from shop.kit.metrics import ORDERS, Metrics
from shop.kit.web import WORKERS, Answer, Request, Route, WebError, WebServer
from shop.orderbook import Order, OrderState
from shop.orders import OrderError, Orders, OrderStateError
from shop.page import page_routes
from shop.payment import PaymentDeclinedError
from shop.stock import OutOfStockError


class ShopServer(WebServer):
    """Serves one shop's orders."""

    def __init__(
        self, orders: Orders, *, metrics: Metrics | None = None, port: int = 0, workers: int = WORKERS
    ) -> None:
        metrics = metrics or Metrics("order")
        super().__init__(
            (*page_routes(), *_Api(orders, metrics).routes()), metrics=metrics, port=port, workers=workers
        )


class _Api:
    def __init__(self, orders: Orders, metrics: Metrics) -> None:
        self._orders = orders
        self._metrics = metrics

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/products", self._products),
            Route("POST", "/orders", self._place),
            Route("GET", "/orders/{id}", self._show),
            Route("DELETE", "/orders/{id}", self._cancel),
            Route("PUT", "/orders/{id}/state", self._ship),
        )

    def _products(self, request: Request) -> Answer:  # noqa: ARG002  # a handler's shape
        try:
            levels = self._orders.inventory.levels()
        except DependencyError as error:
            raise _unavailable(error) from error
        return Answer(
            [{**asdict(product), "in_stock": levels.get(product.sku, 0)} for product in CATALOGUE.values()]
        )

    def _place(self, request: Request) -> Answer:
        items, card = _order_of(request)
        try:
            order = self._orders.place(items, card=card)
        except OrderError as error:
            raise WebError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        except OutOfStockError as error:
            raise WebError(HTTPStatus.CONFLICT, str(error)) from error
        except PaymentDeclinedError as error:
            raise WebError(HTTPStatus.PAYMENT_REQUIRED, str(error)) from error
        except DependencyError as error:
            raise _unavailable(error) from error
        self._metrics.add(ORDERS, state=order.state)
        return Answer(asdict(order), HTTPStatus.CREATED)

    def _show(self, request: Request) -> Answer:
        return _told(self._orders.get(request.path["id"]))

    def _cancel(self, request: Request) -> Answer:
        try:
            return _told(self._orders.cancel(request.path["id"]))
        except OrderStateError as error:
            raise WebError(HTTPStatus.CONFLICT, str(error)) from error

    def _ship(self, request: Request) -> Answer:
        if request.field("state", str) != OrderState.SHIPPED:
            raise WebError(HTTPStatus.UNPROCESSABLE_ENTITY, 'the body is not {"state": "shipped"}')
        try:
            return _told(self._orders.ship(request.path["id"]))
        except OrderStateError as error:
            raise WebError(HTTPStatus.CONFLICT, str(error)) from error


def _order_of(request: Request) -> tuple[dict[str, int], str]:
    try:
        body = request.json()
        return _whole_numbers(body["items"]), str(body["card"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = 'the body is not like {"items": {"mug": 1}, "card": "…"}'
        raise WebError(HTTPStatus.UNPROCESSABLE_ENTITY, problem) from error


def _told(order: Order | None) -> Answer:
    if order is None:
        raise WebError(HTTPStatus.NOT_FOUND, "there is nothing here")
    return Answer(asdict(order))


def _unavailable(error: DependencyError) -> WebError:
    return WebError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.target} does not answer; try again")


def _whole_numbers(items: dict[str, int]) -> dict[str, int]:
    if not all(type(quantity) is int for quantity in items.values()):
        raise TypeError("a quantity is a whole number")
    return items
