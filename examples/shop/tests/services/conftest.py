"""Dependencies that fail on demand, and servers on free ports of 127.0.0.1. The parts of the services, without processes."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from shop.kit.calls import DependencyError, Outcome
from shop.kit.metrics import Metrics
from shop.kit.web import WORKERS, Route, WebServer
from shop.orderbook import OrderBook
from shop.orders import Orders
from shop.payment import Payments
from shop.reservations import Reservations
from shop.stock import Stock

CARD = "4242424242424242"


@dataclass
class Failing:
    """Passes calls on, unless it is down; then it does nothing, or its work without an answer."""

    down: bool = False
    answer_lost: bool = False

    def check(self, name: str) -> None:
        """Called before the work."""
        if self.down:
            raise DependencyError(name, Outcome.TIMEOUT)

    def lose(self, name: str) -> None:
        """Called after the work."""
        if self.answer_lost:
            raise DependencyError(name, Outcome.TIMEOUT)


@dataclass
class FailingPayments(Failing):
    """Payments that fail on demand."""

    inner: Payments = field(default_factory=Payments)

    def charge(self, *, reference: str, card: str, amount_cents: int) -> None:
        self.check("payment")
        self.inner.charge(reference=reference, card=card, amount_cents=amount_cents)
        self.lose("payment")

    def refund(self, *, reference: str) -> None:
        self.check("payment")
        self.inner.refund(reference=reference)


@dataclass
class FailingInventory(Failing):
    """An inventory that fails on demand."""

    inner: Reservations = field(default_factory=lambda: Reservations(Stock({"mug": 10})))

    def reserve(self, reference: str, items: Mapping[str, int]) -> None:
        self.check("inventory")
        self.inner.reserve(reference, items)
        self.lose("inventory")

    def release(self, reference: str) -> None:
        self.check("inventory")
        self.inner.release(reference)

    def levels(self) -> Mapping[str, int]:
        return self.inner.levels()


@dataclass
class FailingAnnouncer(Failing):
    """Remembers what it was told."""

    told: list[str] = field(default_factory=list)

    def order_placed(self, order_id: str) -> None:
        self.check("queue")
        self.told.append(order_id)


@dataclass
class World:
    """Orders, and all that they depend on."""

    payments: FailingPayments = field(default_factory=FailingPayments)
    inventory: FailingInventory = field(default_factory=FailingInventory)
    announcer: FailingAnnouncer = field(default_factory=FailingAnnouncer)
    records: dict[str, object] = field(default_factory=dict)

    def open(self, *, pay_later: bool) -> Orders:
        """The orders, as a new process finds them."""
        return Orders(
            inventory=self.inventory,
            payments=self.payments,
            book=OrderBook(self.records),
            announcer=self.announcer,
            pay_later=pay_later,
            new_id=lambda: f"order-{len(self.records) + 1}",
        )

    @property
    def mugs(self) -> int:
        """Pieces left of ten."""
        return self.inventory.inner.levels()["mug"]

    def charged(self, order_id: str) -> int:
        """Cents held for an order."""
        return self.payments.inner.charged(order_id)


@pytest.fixture
def world() -> World:
    """Dependencies that work, until a test says otherwise."""
    return World()


@pytest.fixture
def serve() -> Iterator[Callable[..., WebServer]]:
    """Serves routes until the test is over."""
    servers: list[WebServer] = []

    def start(routes: Sequence[Route], *, workers: int = WORKERS) -> WebServer:
        server = WebServer(routes, metrics=Metrics("test"), workers=workers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
