"""How many of each article are left."""

import threading
from collections.abc import Mapping


class OutOfStockError(Exception):
    """Fewer pieces are left than were asked for."""


class Stock:
    """Counts pieces. Reserving is all or nothing, and safe under concurrent orders."""

    def __init__(self, levels: Mapping[str, int]) -> None:
        self._levels = dict(levels)
        self._lock = threading.Lock()

    def level(self, sku: str) -> int:
        """Pieces left of an article; 0 for one that was never stocked."""
        with self._lock:
            return self._levels.get(sku, 0)

    def levels(self) -> dict[str, int]:
        """Pieces left, by article."""
        with self._lock:
            return dict(self._levels)

    def reserve(self, items: Mapping[str, int]) -> None:
        """Take the pieces. Raises OutOfStockError, and takes nothing, if any article is short."""
        with self._lock:
            for sku, quantity in items.items():
                left = self._levels.get(sku, 0)
                if left < quantity:
                    raise OutOfStockError(f"{left} of {sku} left, {quantity} asked for")
            for sku, quantity in items.items():
                self._levels[sku] -= quantity

    def release(self, items: Mapping[str, int]) -> None:
        """Put the pieces back."""
        with self._lock:
            for sku, quantity in items.items():
                self._levels[sku] = self._levels.get(sku, 0) + quantity
