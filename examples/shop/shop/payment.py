"""Stands in for a payment provider: decides by the card's number and remembers what it did."""

import threading

DECLINED_CARD = "4000000000000002"


class PaymentDeclinedError(Exception):
    """The card's bank said no."""


class Payments:
    """Charges and refunds. A charge is idempotent for its reference, as a provider's is."""

    def __init__(self) -> None:
        self._charges: dict[str, int] = {}
        self._lock = threading.Lock()

    def charge(self, *, reference: str, card: str, amount_cents: int) -> None:
        """Take the money. Raises PaymentDeclinedError for the card that is always declined."""
        if card == DECLINED_CARD:
            raise PaymentDeclinedError("the card was declined")
        with self._lock:
            self._charges.setdefault(reference, amount_cents)

    def refund(self, *, reference: str) -> None:
        """Give the money back. A second refund, or one of nothing, changes nothing."""
        with self._lock:
            self._charges.pop(reference, None)

    def charged(self, reference: str) -> int:
        """Cents held for a reference; 0 when nothing was charged or all was refunded."""
        with self._lock:
            return self._charges.get(reference, 0)
