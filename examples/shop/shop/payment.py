"""Stands in for a payment provider: decides by the card's number and remembers what it did."""

import threading

from shop.kit.kept import Records

DECLINED_CARD = "4000000000000002"


class PaymentDeclinedError(Exception):
    """The card's bank said no."""


class Payments:
    """Charges and refunds. Both are idempotent for their reference, as a provider's are.

    A refund stays on record, so that a charge that comes late, after its order was given up, takes nothing.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._charges: Records = {} if records is None else records
        self._lock = threading.Lock()

    def charge(self, *, reference: str, card: str, amount_cents: int) -> None:
        """Take the money. Raises PaymentDeclinedError for the card that is always declined."""
        if card == DECLINED_CARD:
            raise PaymentDeclinedError("the card was declined")
        with self._lock:
            if reference not in self._charges:
                self._charges[reference] = amount_cents

    def refund(self, *, reference: str) -> None:
        """Give the money back. A second refund, or one of nothing, changes nothing."""
        with self._lock:
            self._charges[reference] = 0

    def charged(self, reference: str) -> int:
        """Cents held for a reference; 0 when nothing was charged or all was refunded."""
        with self._lock:
            return int(self._charges.get(reference, 0))
