"""When two preparations are the same: the cache key of what a preparation leaves behind."""

from crosswind.contracts.work import PrepareOrder
from crosswind.kernel import json


def base_key(order: PrepareOrder) -> str:
    """Digest of everything that an order says about its preparation, but for a Git branch's present commit."""
    described = order.model_dump(mode="json", exclude={"preparation", "timeout_seconds"})
    return json.digest(described)


def final_key(order: PrepareOrder, *, commit: str | None) -> str:
    """The cache key: the base key, and for a Git source the commit that its ref meant."""
    return json.digest([base_key(order), commit]) if commit else base_key(order)
