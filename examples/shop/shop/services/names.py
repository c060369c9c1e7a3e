"""The services there are, in the order in which they start."""

BROKER = "broker"
INVENTORY = "inventory"
PAYMENT = "payment"
ORDER = "order"
FULFILMENT = "fulfilment"

SERVICES = (BROKER, INVENTORY, PAYMENT, ORDER, FULFILMENT)
