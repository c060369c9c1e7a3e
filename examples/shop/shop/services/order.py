"""The order service: takes orders, asks inventory and payment over HTTP, and tells fulfilment through the queue."""

from pathlib import Path

from shop.api import ShopServer
from shop.environment import Settings
from shop.kit.calls import Peer
from shop.kit.kept import Kept
from shop.kit.metrics import DUE, Metrics
from shop.orderbook import OrderBook
from shop.orders import Orders
from shop.queues import open_queue
from shop.services.clients import InventoryClient, PaymentClient, QueueAnnouncer
from shop.services.names import INVENTORY, ORDER, PAYMENT
from shop.services.running import Service
from shop.settling import Settler

_INVENTORY_SECONDS = 1.0


def build(settings: Settings) -> Service:
    """The service with its records and its clients."""
    metrics = Metrics(ORDER)
    inventory = Peer(INVENTORY, settings.inventory_url, timeout=_INVENTORY_SECONDS, metrics=metrics)
    payment = Peer(PAYMENT, settings.payment_url, timeout=settings.payment_timeout, metrics=metrics)
    orders = Orders(
        inventory=InventoryClient(inventory),
        payments=PaymentClient(payment),
        book=OrderBook(Kept(Path(settings.data) / "order.sqlite")),
        announcer=QueueAnnouncer(open_queue(settings, metrics=metrics)),
        pay_later=settings.payment_timeout is not None,
    )
    settler = Settler(orders)
    metrics.read(DUE, settler.owing)
    server = ShopServer(orders, metrics=metrics, port=settings.port, workers=settings.workers)
    return Service(ORDER, server, loops=(settler,))
