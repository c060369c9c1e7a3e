"""The orders as they are kept, and what is still to be done for each."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from shop.kit.kept import Records


class OrderState(StrEnum):
    """Where an order is."""

    PAID = "paid"
    PAYMENT_PENDING = "payment-pending"  # accepted; the money is taken when payment works again
    DECLINED = "payment-declined"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class Due(StrEnum):
    """What another service has still to be asked for. Asking twice does no harm."""

    CHARGE = "charge"
    REFUND = "refund"
    RELEASE = "release"
    ANNOUNCE = "announce"


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order, as its buyer sees it."""

    id: str
    items: Mapping[str, int]
    total_cents: int
    state: OrderState


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept order: what its buyer sees, the card, and what is due, first things first."""

    order: Order
    card: str
    due: tuple[Due, ...] = ()

    def moved(self, state: OrderState, *due: Due) -> "Entry":
        """The entry in another state, with other things due."""
        return replace(self, order=replace(self.order, state=state), due=due)

    def without(self, done: Due) -> "Entry":
        """The entry with one thing less to do."""
        return replace(self, due=tuple(due for due in self.due if due is not done))


@dataclass
class OrderBook:
    """Keeps entries, and knows those for which something is due."""

    records: Records = field(default_factory=dict)
    _owing: dict[str, tuple[Due, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Find what was due when the process ended; of an order that it was about to place, that is to undo it."""
        entries = (_from_document(document) for document in self.records.values())
        self._owing.update({entry.order.id: entry.due for entry in entries if entry.due})

    def open(self, entry: Entry) -> None:
        """Write down an order that is being placed; its dues count only if this process ends before `change`."""
        with self._lock:
            self.records[entry.order.id] = _to_document(entry)

    def get(self, order_id: str) -> Entry | None:
        """The entry, or None."""
        with self._lock:
            document = self.records.get(order_id)
        return _from_document(document) if document is not None else None

    def change(self, order_id: str, change: Callable[[Entry], Entry]) -> Entry:
        """Replace an entry by what `change` makes of it, in one step. Raises KeyError."""
        with self._lock:
            entry = change(_from_document(self.records[order_id]))
            self.records[order_id] = _to_document(entry)
            if entry.due:
                self._owing[order_id] = entry.due
            else:
                self._owing.pop(order_id, None)
            return entry

    def forget(self, order_id: str) -> None:
        """Remove an order that came to nothing."""
        with self._lock:
            self.records.pop(order_id, None)
            self._owing.pop(order_id, None)

    def owing(self) -> dict[str, tuple[Due, ...]]:
        """The orders for which something is due, oldest first."""
        with self._lock:
            return dict(self._owing)


def _to_document(entry: Entry) -> dict[str, Any]:
    order = entry.order
    return {
        "id": order.id,
        "items": dict(order.items),
        "totalCents": order.total_cents,
        "state": order.state,
        "card": entry.card,
        "due": list(entry.due),
    }


def _from_document(document: Mapping[str, Any]) -> Entry:
    return Entry(
        order=Order(
            id=document["id"],
            items=document["items"],
            total_cents=document["totalCents"],
            state=OrderState(document["state"]),
        ),
        card=document["card"],
        due=tuple(Due(due) for due in document["due"]),
    )
