"""A small shop: products, stock, payment, orders and shipping, in one process or as services that talk over HTTP and SQS."""
