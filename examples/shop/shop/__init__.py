"""A small order service: products, stock, payment, orders, and an HTTP API over them. Standard library only."""
