"""Stock that is set aside for orders: what the inventory service keeps."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from shop.kit.kept import Records
from shop.stock import Stock


@dataclass
class Reservations:
    """Reserves and releases by the order's name, each as often as it is asked, with the effect of once.

    A release stays on record, so that a reservation that comes late, after its order was given up, takes nothing.
    """

    stock: Stock
    records: Records = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Take again what was reserved before the process was started anew."""
        for items in self.records.values():
            self.stock.reserve(items)

    def reserve(self, reference: str, items: Mapping[str, int]) -> None:
        """Set the pieces aside. Raises OutOfStockError, and takes nothing, if any article is short."""
        with self._lock:
            if reference not in self.records:
                self.stock.reserve(items)
                self.records[reference] = dict(items)

    def release(self, reference: str) -> None:
        """Put the pieces back."""
        with self._lock:
            items = self.records.get(reference, {})
            self.records[reference] = {}
            if items:
                self.stock.release(items)

    def levels(self) -> dict[str, int]:
        """Pieces left, by article."""
        return self.stock.levels()
