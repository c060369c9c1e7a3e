"""The inventory service: stock, and reservations by the order's name."""

from http import HTTPStatus
from pathlib import Path

from shop.environment import Settings
from shop.kit.kept import Kept
from shop.kit.metrics import Metrics
from shop.kit.web import Answer, Request, Route, WebError, WebServer
from shop.reservations import Reservations
from shop.services.names import INVENTORY
from shop.services.running import Service
from shop.stock import OutOfStockError, Stock


def build(settings: Settings) -> Service:
    """The service with its records."""
    records = Kept(Path(settings.data) / "inventory.sqlite")
    routes = inventory_routes(Reservations(Stock(settings.stock), records))
    server = WebServer(routes, metrics=Metrics(INVENTORY), port=settings.port, workers=settings.workers)
    return Service(INVENTORY, server)


def inventory_routes(reservations: Reservations) -> tuple[Route, ...]:
    """What the service answers."""

    def reserve(request: Request) -> Answer:
        items = request.field("items", dict)
        if not all(type(quantity) is int and quantity > 0 for quantity in items.values()):
            raise WebError(HTTPStatus.UNPROCESSABLE_ENTITY, "a quantity is a whole number from 1 on")
        try:
            reservations.reserve(request.field("reference", str), items)
        except OutOfStockError as error:
            raise WebError(HTTPStatus.CONFLICT, str(error)) from error
        return Answer({}, HTTPStatus.CREATED)

    def release(request: Request) -> Answer:
        reservations.release(request.path["reference"])
        return Answer({})

    return (
        Route("GET", "/stock", lambda _: Answer(reservations.levels())),
        Route("POST", "/reservations", reserve),
        Route("DELETE", "/reservations/{reference}", release),
    )
