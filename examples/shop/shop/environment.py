"""What a service is told by its environment. `shop.local` writes it, the services read it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from shop.catalogue import CATALOGUE

_PREFIX = "SHOP_"


def _plenty() -> dict[str, int]:
    return dict.fromkeys(CATALOGUE, 1_000_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """One class for all services; each reads what concerns it. `payment_timeout` is SHOP_PAYMENT_TIMEOUT, and so on."""

    port: int = 0
    data: str = ".shop/data"
    """The folder of records that outlive the process."""
    inventory_url: str = ""
    payment_url: str = ""
    order_url: str = ""
    broker_url: str = ""
    """The shop's own broker; empty: SQS, where boto3 finds it (AWS_ENDPOINT_URL)."""
    queue: str = "order-placed"
    payment_timeout: float | None = None
    """Seconds that `order` waits for `payment` before it accepts an order unpaid and charges later; unset: it waits for ever."""
    workers: int = 32
    """Requests that a service works on at a time."""
    stock: Mapping[str, int] = field(default_factory=_plenty)
    log_level: str = "info"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read SHOP_*. Raises ValueError that names the variable."""
        environ = os.environ if environ is None else environ
        given: dict[str, Any] = {}
        for each in fields(cls):
            variable = _PREFIX + each.name.upper()
            text = environ.get(variable, "")
            if text:
                given[each.name] = _parsed(variable, each.name, text)
        return cls(**given)

    def to_env(self) -> dict[str, str]:
        """The variables that differ from the defaults."""
        default, mine = asdict(Settings()), asdict(self)
        return {
            _PREFIX + name.upper(): json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in mine.items()
            if value != default[name]
        }


def _parsed(variable: str, name: str, text: str) -> Any:
    try:
        match name:
            case "port" | "workers":
                return int(text)
            case "payment_timeout":
                return _positive(float(text))
            case "stock":
                return {str(sku): int(count) for sku, count in json.loads(text).items()}
            case _:
                return text
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{variable} is {text!r}, which cannot be read: {error}") from error


def _positive(seconds: float) -> float:
    if not 0 < seconds < float("inf"):
        raise ValueError("seconds are to be more than 0")
    return seconds
