"""The fulfilment service: takes placed orders from the queue, ships each once, and tells the order service."""

from pathlib import Path

from shop.environment import Settings
from shop.kit.calls import Peer
from shop.kit.kept import Kept
from shop.kit.metrics import Metrics
from shop.kit.web import WebServer
from shop.queues import open_queue
from shop.services.clients import OrderClient
from shop.services.names import FULFILMENT, ORDER
from shop.services.running import Service
from shop.shipping import Shipping

_ORDER_SECONDS = 2.0


def build(settings: Settings) -> Service:
    """The service with its records and its clients."""
    metrics = Metrics(FULFILMENT)
    shipping = Shipping(
        queue=open_queue(settings, metrics=metrics),
        orders=OrderClient(Peer(ORDER, settings.order_url, timeout=_ORDER_SECONDS, metrics=metrics)),
        metrics=metrics,
        shipped=Kept(Path(settings.data) / "fulfilment.sqlite"),
        name=settings.queue,
    )
    server = WebServer((), metrics=metrics, port=settings.port, workers=settings.workers)
    return Service(FULFILMENT, server, loops=(shipping.consume, shipping.watch))
