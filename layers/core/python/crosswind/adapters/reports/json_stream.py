"""JSON as a bounded stream: only what a reader asks for is built, one piece at a time."""

from collections.abc import Collection, Iterator
from typing import Any

import ijson
from ijson.common import ObjectBuilder

from crosswind.adapters.reports.source import BrokenReportError, Source

_STARTS = frozenset({"start_map", "start_array"})
_ENDS = frozenset({"end_map", "end_array"})
MAX_DEPTH = 400
"""Of values in values. Describe blocks and groups nest, and each level takes two or three of JSON's."""


def pieces(
    source: Source, wanted: Collection[str], *, skipped: Collection[str] = ()
) -> Iterator[tuple[str, Any]]:
    """Each value that stands at a wanted place, whole, with its place, in the order of the file.

    Places are written as ijson writes them: `run.executions.item` is each element of that list. Members whose names are in
    `skipped` are left out of what is built. Raises BrokenReportError.
    """
    piece = _Piece(frozenset(skipped))
    try:
        for place, event, value in _events(source):
            if piece.is_open:
                if piece.add(event, value):
                    yield piece.place, piece.value()
            elif place in wanted and event not in {"map_key", *_ENDS}:
                if event in _STARTS:
                    piece.open(place, event, value)
                else:
                    yield place, value
    except ijson.IncompleteJSONError as error:
        raise BrokenReportError(f"the JSON ends too early or is damaged ({_short(error)})") from error
    except (ijson.JSONError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise BrokenReportError(f"it is no valid JSON ({_short(error)})") from error


def _events(source: Source) -> Iterator[tuple[str, str, Any]]:
    """What ijson finds, down to a depth."""
    depth = 0
    for found in ijson.parse(_Reader(source), use_float=True):
        if found[1] in _STARTS:
            depth += 1
            if depth > MAX_DEPTH:
                raise BrokenReportError(f"values are nested deeper than {MAX_DEPTH}")
        elif found[1] in _ENDS:
            depth -= 1
        yield found


class _Reader:
    """What ijson reads from; it takes bytes as they come."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        return self._source.read(size)


class _Piece:
    """A value that is being built."""

    def __init__(self, skipped: frozenset[str]) -> None:
        self._skipped = skipped
        self._builder: Any = None
        self._depth = 0
        self._skipping = 0  # depth of a member that is left out; -1: the next value is one
        self.place = ""

    @property
    def is_open(self) -> bool:
        return self._builder is not None

    def open(self, place: str, event: str, value: Any) -> None:
        self.place, self._builder, self._depth, self._skipping = place, ObjectBuilder(), 0, 0
        self.add(event, value)

    def add(self, event: str, value: Any) -> bool:
        """Whether the value is whole now."""
        if event in _STARTS:
            self._depth += 1
            if self._skipping == -1:
                self._skipping = self._depth
        skipped = self._skipping != 0
        if event in _ENDS:
            if self._skipping == self._depth:
                self._skipping = 0
            self._depth -= 1
        elif self._skipping == -1:
            self._skipping = 0
        if skipped:
            return False
        if event == "map_key" and value in self._skipped:
            self._skipping = -1
            return False
        self._builder.event(event, value)
        return self._depth == 0

    def value(self) -> Any:
        built, self._builder = self._builder.value, None
        return built


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
