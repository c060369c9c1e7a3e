"""The bytes of a report: counted, without a byte order mark, as UTF-8 where they are UTF-16, and line by line where that is wanted."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from crosswind.runs.reports import ReportLimits

HEAD_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class BrokenReportError(Exception):
    """The rest of a report cannot be read. The message says why, for people."""


class Source:
    """A report file. Every method may raise BrokenReportError, and what reading the stream raises."""

    def __init__(self, stream: BinaryIO, limits: ReportLimits, *, name: str) -> None:
        self.limits = limits
        self.name = name
        self._stream = stream
        self._size = 0
        self._pending = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ended = False
        self.head = self._first()

    @property
    def is_recoded(self) -> bool:
        """Whether the bytes that `read` gives are not those of the file."""
        return self._decoder is not None

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """At most `size` bytes and some; nothing at the end."""
        if not self._pending and not self._ended:
            self._pending = self._next(size)
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken

    def lines(self) -> Iterator[tuple[int, str]]:
        """Lines without their ends, from 1 on. What is not UTF-8 is replaced."""
        held = b""
        number = 0
        while chunk := self.read():
            *whole, held = (held + chunk).split(b"\n")
            for line in whole:
                number += 1
                yield number, line.removesuffix(b"\r").decode(errors="replace")
            if len(held) > self.limits.token_bytes:
                raise BrokenReportError(f"a line is longer than {self.limits.token_bytes} bytes")
        if held:
            yield number + 1, held.removesuffix(b"\r").decode(errors="replace")

    def _first(self) -> bytes:
        """What the file begins with, so that its format can be told; it is read again after that."""
        raw = b""
        while len(raw) < HEAD_BYTES and (chunk := self._raw(HEAD_BYTES - len(raw))):
            raw += chunk
        for mark, encoding in _MARKS:
            if raw.startswith(mark):
                raw = raw[len(mark) :]
                if encoding != "utf-8":
                    self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
                    raw = self._recoded(raw)
                break
        self._pending = raw
        return raw

    def _next(self, size: int) -> bytes:
        while True:
            chunk = self._raw(size)
            self._ended = not chunk
            recoded = self._recoded(chunk)
            if recoded or self._ended:
                return recoded

    def _recoded(self, chunk: bytes) -> bytes:
        if self._decoder is None:
            return chunk
        return self._decoder.decode(chunk, final=not chunk).encode(errors="replace")

    def _raw(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._size += len(chunk)
        if self._size > self.limits.file_bytes:
            raise BrokenReportError(f"the file is larger than {self.limits.file_bytes} bytes")
        return chunk
