"""XML as a bounded stream of starts and ends: no tree, no document type, no entities, as in the reader of JUnit XML."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.runs.reports import cut


@dataclass(frozen=True, slots=True)
class Start:
    """An element begins. Names are without their namespaces."""

    tag: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """An element ends; `text` is what stood in it and in no element inside it."""

    tag: str
    text: str


def events(source: Source) -> Iterator[Start | End]:
    """What the file holds, in its order. Raises BrokenReportError."""
    document = _Document(source)
    while chunk := source.read():
        try:
            document.feed(chunk, final=False)
        finally:
            yield from document.take()
    document.feed(b"", final=True)
    yield from document.take()


class _Document:
    """Gets bytes, collects events."""

    def __init__(self, source: Source) -> None:
        self._limits = source.limits
        self._found: list[Start | End] = []
        self._texts: list[list[str]] = []
        self._lengths: list[int] = []
        self._silent = 0
        self._parser = expat.ParserCreate("utf-8" if source.is_recoded else None)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._doctype
        self._parser.ExternalEntityRefHandler = self._external

    def take(self) -> list[Start | End]:
        """What was found since the last call."""
        found, self._found = self._found, []
        return found

    def feed(self, chunk: bytes, *, final: bool) -> None:
        """Raises BrokenReportError."""
        self._silent += len(chunk)
        try:
            self._parser.Parse(chunk, final)
        except expat.ExpatError as error:
            why = expat.ErrorString(error.code) or "not well-formed"
            raise BrokenReportError(f"line {error.lineno}: {why}") from error
        except (LookupError, ValueError) as error:
            raise BrokenReportError(f"the declared encoding cannot be read ({error})") from error
        if self._silent > self._limits.token_bytes:
            raise BrokenReportError(f"a tag or comment is longer than {self._limits.token_bytes} bytes")

    def _doctype(self, *_: object) -> None:
        raise BrokenReportError("the file declares a document type or an entity, which reports must not")

    def _external(self, *_: object) -> int:
        raise BrokenReportError("the file refers to an external entity, which reports must not")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._silent = 0
        if len(self._texts) >= self._limits.depth:
            raise BrokenReportError(f"elements are nested deeper than {self._limits.depth}")
        self._texts.append([])
        self._lengths.append(0)
        kept = {
            key.rpartition(":")[2]: cut(value, limit=self._limits.text_chars)
            for key, value in attributes.items()
        }
        self._found.append(Start(tag.rpartition(":")[2], kept))

    def _end(self, tag: str) -> None:
        self._silent = 0
        text = cut("".join(self._texts.pop()), limit=self._limits.text_chars)
        self._lengths.pop()
        self._found.append(End(tag.rpartition(":")[2], text))

    def _characters(self, data: str) -> None:
        self._silent = 0
        if self._texts and self._lengths[-1] <= self._limits.text_chars:
            self._texts[-1].append(data)
            self._lengths[-1] += len(data)
