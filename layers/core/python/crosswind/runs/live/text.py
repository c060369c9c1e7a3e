"""Cutting a stream of bytes where no character is cut."""

import codecs
from collections.abc import Iterator

_LONGEST_CHARACTER = 4


def whole_characters(data: bytes) -> int:
    """How many bytes make whole characters: a character that is cut at the end waits for its rest."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    tail = data[-_LONGEST_CHARACTER:]
    while tail and tail[0] & 0xC0 == 0x80:  # noqa: PLR2004  # a byte that continues a character
        tail = tail[1:]
    decoder.decode(tail)
    pending: bytes = decoder.getstate()[0]
    return len(data) - len(pending)


def start_of_line(data: bytes) -> int:
    """Where to begin to show data that was cut anywhere: behind its first newline, else at its first whole character."""
    newline = data.find(b"\n")
    if newline >= 0:
        return newline + 1
    start = 0
    while start < min(len(data), _LONGEST_CHARACTER) and data[start] & 0xC0 == 0x80:  # noqa: PLR2004
        start += 1
    return start


def cut(data: bytes, *, longest: int, last: bool = False) -> Iterator[bytes]:
    """Parts of whole characters, none longer than `longest`. What is left at the end is given only where it is the `last`."""
    start = 0
    while start < len(data):
        part = data[start : start + longest]
        whole = whole_characters(part)
        if start + len(part) == len(data) and last:
            whole = len(part)
        if whole == 0:
            return
        yield part[:whole]
        start += whole
