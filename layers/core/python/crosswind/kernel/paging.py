"""Pages of a listing."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items and where to go on. `cursor` is opaque to callers; None means that there is no more."""

    items: tuple[T, ...]
    cursor: str | None
