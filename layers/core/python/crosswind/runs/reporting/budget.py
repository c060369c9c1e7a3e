"""How much of what tests wrote goes into a page: measured as it will stand there, escaped."""

from html import escape

from crosswind.kernel.pages import whole_text
from crosswind.runs.reporting.stacks import plain

_LEAST = 200


class Budget:
    """Room for text, in bytes of the page. What does not fit is cut in the middle of a text, or left out."""

    def __init__(self, room: int) -> None:
        self.room = room

    def take(self, text: str | None, *, most: int, tail: bool = False) -> str:
        """As much of the text as fits, at most so many bytes; its end instead of its beginning with `tail`."""
        allowed = min(most, self.room)
        if not text or allowed < min(_LEAST, most):
            return ""
        clean = readable(
            text[-allowed - 1 :] if tail else text[: allowed + 1]
        )  # a character is a byte at least
        kept = _cut(clean, allowed, tail=tail)
        self.room -= size_of(kept)
        return kept

    def has(self, size: int) -> bool:
        """Whether so much fits; if it does, it is taken."""
        if size > self.room:
            return False
        self.room -= size
        return True


def readable(text: str) -> str:
    """Without colours of a terminal and characters that a page does not show."""
    shown = (each for each in whole_text(plain(text)) if each in "\n\t" or each.isprintable())
    return "".join(shown)


def size_of(text: str) -> int:
    """Bytes in the page. Jinja's escaping of quotes is a byte shorter than this at most."""
    return len(escape(text).encode())


def _cut(text: str, allowed: int, *, tail: bool) -> str:
    if size_of(text) <= allowed:
        return text
    low, high = 0, min(len(text), allowed)
    while low < high:
        middle = (low + high + 1) // 2
        part = text[-middle:] if tail else text[:middle]
        if size_of(part) + len(" …") + 2 <= allowed:
            low = middle
        else:
            high = middle - 1
    return f"… {text[-low:]}" if tail and low else f"{text[:low]} …"
