"""The shop's own broker as a service; there is one only where there is no SQS."""

import threading
from pathlib import Path

from shop.environment import Settings
from shop.kit.kept import Kept
from shop.kit.metrics import Metrics
from shop.kit.web import WebServer
from shop.queues.broker import Broker, broker_routes
from shop.services.names import BROKER
from shop.services.running import Service


def build(settings: Settings) -> Service:
    """The service with its records."""
    broker = Broker(Kept(Path(settings.data) / "broker.sqlite"))
    server = WebServer(
        broker_routes(broker), metrics=Metrics(BROKER), port=settings.port, workers=settings.workers
    )

    def let_go(stop: threading.Event) -> None:
        stop.wait()
        broker.close()

    return Service(BROKER, server, loops=(let_go,))
