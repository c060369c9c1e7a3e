"""The shop as services. `python -m shop.services NAME` runs one; its environment tells the rest (`shop.environment`)."""
