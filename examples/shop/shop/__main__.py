"""`python -m shop [PORT]` serves the whole shop in one process on 127.0.0.1, port 8090 unless told.

`python -m shop.local up` starts it as services.
"""

import logging
import sys

from shop.api import ShopServer
from shop.orders import Orders
from shop.payment import Payments
from shop.reservations import Reservations
from shop.stock import Stock


def main() -> None:
    """Serve until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8090
    stock = Stock({"mug": 10, "lamp": 5, "chair": 2})
    orders = Orders(inventory=Reservations(stock), payments=Payments())
    with ShopServer(orders, port=port) as server:
        logging.getLogger("shop").info("the shop is open at http://127.0.0.1:%d", server.server_port)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
