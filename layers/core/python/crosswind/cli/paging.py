"""Lists that come in pages, read whole."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)

LARGEST_PAGE = 200
"""What the API gives at most at a time."""


class Page(Protocol[T_co]):
    """A page of a list, as the API's answers are."""

    @property
    def items(self) -> Sequence[T_co]:
        """What is on it."""
        ...

    @property
    def next_cursor(self) -> str | None:
        """Where the next one begins; None on the last."""
        ...


def every_item(fetch: Callable[[str | None], Page[T_co]]) -> tuple[T_co, ...]:
    """The items of all pages; `fetch` gets the page at a cursor, None for the first."""
    items: list[T_co] = []
    cursor: str | None = None
    while True:
        page = fetch(cursor)
        items += page.items
        cursor = page.next_cursor
        if not cursor:
            return tuple(items)
