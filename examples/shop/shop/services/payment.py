"""The payment service: charges and refunds by the order's name."""

from http import HTTPStatus
from pathlib import Path

from shop.environment import Settings
from shop.kit.kept import Kept
from shop.kit.metrics import Metrics
from shop.kit.web import Answer, Request, Route, WebError, WebServer
from shop.payment import PaymentDeclinedError, Payments
from shop.services.names import PAYMENT
from shop.services.running import Service


def build(settings: Settings) -> Service:
    """The service with its records."""
    routes = payment_routes(Payments(Kept(Path(settings.data) / "payment.sqlite")))
    server = WebServer(routes, metrics=Metrics(PAYMENT), port=settings.port, workers=settings.workers)
    return Service(PAYMENT, server)


def payment_routes(payments: Payments) -> tuple[Route, ...]:
    """What the service answers."""

    def charge(request: Request) -> Answer:
        try:
            payments.charge(
                reference=request.field("reference", str),
                card=request.field("card", str),
                amount_cents=request.field("amountCents", int),
            )
        except PaymentDeclinedError as error:
            raise WebError(HTTPStatus.PAYMENT_REQUIRED, str(error)) from error
        return Answer({}, HTTPStatus.CREATED)

    def refund(request: Request) -> Answer:
        payments.refund(reference=request.path["reference"])
        return Answer({})

    def charged(request: Request) -> Answer:
        return Answer({"cents": payments.charged(request.path["reference"])})

    return (
        Route("POST", "/charges", charge),
        Route("GET", "/charges/{reference}", charged),
        Route("DELETE", "/charges/{reference}", refund),
    )
