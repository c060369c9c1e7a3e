"""What the shop sells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """An article. Prices are whole cents, so that sums are exact."""

    sku: str
    name: str
    price_cents: int


CATALOGUE = {
    product.sku: product
    for product in (
        Product(sku="mug", name="Enamel mug", price_cents=1250),
        Product(sku="lamp", name="Desk lamp", price_cents=4900),
        Product(sku="chair", name="Folding chair", price_cents=8900),
    )
}
