"""A stream of an attempt: kept in a file while the attempt lasts, and from there into the store and to watchers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

from crosswind.contracts.live import MAX_PIECE_BYTES, Stream
from crosswind.runs.layout import stream_chunk_key
from crosswind.runs.live.shipping import CHUNK_BYTES, Shipment, State
from crosswind.runs.live.text import cut, start_of_line, whole_characters
from crosswind.runs.ports import ObjectStore

_LONGEST_CHARACTER = 4
_CONTENT_TYPES = {
    Stream.LOG: "text/plain; charset=utf-8",
    Stream.EVENTS: "application/x-ndjson",
}


class Spool:
    """Takes bytes at any time, up to a limit; uploads what is new in chunks named by their offset."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        stream: Stream,
        prefix: str,
        path: Path,
        limit_bytes: int,
        when_full: bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`when_full` is the last thing written, behind what fits into the limit."""
        self.stream = stream
        self.written = 0
        self.stored = 0
        self.pushed: int | None = None
        self._store = store
        self._prefix = prefix
        self._limit = limit_bytes
        self._when_full = when_full
        self._clock = clock
        self._file = path.open("w+b")
        self._lock = Lock()
        self._ship_lock = Lock()
        self._full = False
        self._stored_at = self._pushed_at = clock()

    @property
    def full_chunk(self) -> bool:
        """Whether so much waits that it is uploaded at once."""
        return self.written - self.stored >= CHUNK_BYTES

    def append(self, data: bytes) -> None:
        """Add to the stream. Raises OSError."""
        with self._lock:
            if self._full or not data:
                return
            room = self._limit - self.written
            if len(data) > room:
                self._full = True
                data = data[:room] + self._when_full
            self._file.seek(self.written)
            self._file.write(data)
            self.written += len(data)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the stream."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)

    def state(self) -> State:
        """How far it is."""
        now = self._clock()
        return State(
            written=self.written,
            stored=self.stored,
            pushed=self.pushed,
            since_store=now - self._stored_at,
            since_push=now - self._pushed_at,
        )

    def ship(self) -> None:
        """Upload what is new. Raises what the store raises; the next call goes on from there."""
        with self._ship_lock:
            self._stored_at = self._clock()
            while True:
                chunk = self.read(self.stored, min(CHUNK_BYTES, self.written - self.stored))
                if not chunk:
                    return
                key = stream_chunk_key(self._prefix, self.stream, self.stored)
                self._store.put(key, chunk, content_type=_CONTENT_TYPES[self.stream])
                self.stored += len(chunk)

    def parts(self, shipment: Shipment, *, last: bool) -> Iterator[tuple[int, bytes]]:
        """What a shipment pushes: offsets and bytes, of whole characters unless it is the last one."""
        start = shipment.push_from
        if start is None:
            return
        data = self.read(start, self.written - start)
        if shipment.skipped_from is not None:
            behind = start_of_line(data)
            start, data = start + behind, data[behind:]
        for part in cut(data, longest=MAX_PIECE_BYTES, last=last):
            yield start, part
            start += len(part)

    def begin_pushing(self) -> None:
        """From here on there are pieces; what lies before is in the store. A character that is cut there goes with them."""
        start = max(0, self.stored - _LONGEST_CHARACTER)
        self.pushed_to(start + whole_characters(self.read(start, self.stored - start)))

    def pushed_to(self, offset: int) -> None:
        """The stream was pushed up to here."""
        self.pushed = offset
        self._pushed_at = self._clock()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()
