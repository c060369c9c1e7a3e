"""DynamoDB's attribute values to plain values and back.

None is left out. Numbers come back as int where they are whole, so that readers of float fields say `float(...)`.
Values whose types must survive exactly (a parameter 1 beside 1.0) are stored as JSON text.
"""

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crosswind.kernel.clock import from_iso, to_iso
from crosswind.kernel.errors import DependencyError

SCHEMA = 1

Item = dict[str, Any]
Values = Mapping[str, Any]


class UnknownSchemaError(DependencyError):
    """An item was written by a newer edition; it can be read once this one is replaced."""


def to_item(values: Values) -> Item:
    """Marshal the values of one item, without those that are None."""
    return {name: _marshal(value) for name, value in values.items() if value is not None}


def from_item(item: Item) -> dict[str, Any]:
    """Unmarshal an item. Raises UnknownSchemaError when a newer edition wrote it."""
    values = {name: _unmarshal(value) for name, value in item.items()}
    if values.get("schema", SCHEMA) > SCHEMA:
        raise UnknownSchemaError(f"an item has schema {values['schema']}; this edition reads up to {SCHEMA}")
    return values


def iso(moment: datetime | None) -> str | None:
    """The stored form of an optional moment."""
    return None if moment is None else to_iso(moment)


def moment(text: str | None) -> datetime | None:
    """The optional moment that `iso` stored."""
    return None if text is None else from_iso(text)


def pack(value: Any) -> bytes:
    """JSON under gzip, the same bytes for the same value: for what may be long."""
    return gzip.compress(json.dumps(value, separators=(",", ":")).encode(), mtime=0)


def unpack(data: bytes) -> Any:
    """What `pack` packed."""
    return json.loads(gzip.decompress(data))


def _marshal(value: Any) -> Item:
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": str(value)}
        case bytes():
            return {"B": value}
        case int() | float():
            return {"N": _number(value)}
        case Mapping():
            return {"M": to_item(value)}
        case Sequence():
            return {"L": [_marshal(element) for element in value]}
    raise TypeError(f"{type(value).__name__} has no stored form")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be stored")
    return repr(value)


def _unmarshal(attribute: Item) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "M":
            return {name: _unmarshal(element) for name, element in value.items()}
        case "L":
            return [_unmarshal(element) for element in value]
    return value
