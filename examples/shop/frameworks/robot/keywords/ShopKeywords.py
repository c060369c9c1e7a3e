"""Keywords that ask the shop that SHOP_URL names."""

import json
import os
from http.client import HTTPConnection
from urllib.parse import urlsplit

from robot.api.deco import keyword, library


@library(scope="TEST")
class ShopKeywords:
    """Remembers the last answer of a test."""

    def __init__(self) -> None:
        self._status = 0
        self._answer: object = None

    @keyword
    def ask(self, method: str, path: str, body: object = None) -> object:
        """Send a request; the decoded answer."""
        connection = HTTPConnection(urlsplit(os.environ["SHOP_URL"]).netloc, timeout=10)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            self._status, self._answer = answer.status, json.loads(answer.read())
            return self._answer
        finally:
            connection.close()

    @keyword
    def order(self, sku: str, quantity: int = 1, card: str = "4242424242424242") -> object:
        """Place an order for one kind of article; the decoded answer."""
        return self.ask("POST", "/orders", {"items": {sku: quantity}, "card": card})

    @keyword
    def status_should_be(self, status: int) -> None:
        """Look at the last answer's status."""
        if self._status != status:
            raise AssertionError(f"the status is {self._status}, not {status}: {self._answer}")
