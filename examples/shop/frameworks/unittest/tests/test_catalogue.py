import unittest
from http import HTTPStatus

from tests.shop import send


class CatalogueTest(unittest.TestCase):
    """What the shop sells."""

    def test_every_article_has_a_price_in_cents(self) -> None:
        status, products = send("GET", "/products")
        self.assertEqual(status, HTTPStatus.OK)
        self.assertEqual(
            {product["sku"]: product["price_cents"] for product in products},
            {"mug": 1250, "lamp": 4900, "chair": 8900},
        )

    def test_what_is_not_there_is_not_found(self) -> None:
        self.assertEqual(send("GET", "/articles"), (HTTPStatus.NOT_FOUND, {"error": "there is nothing here"}))
