"""An attempt's log: masked, kept in a file, and uploaded in chunks named by their offset while the command runs."""

from collections.abc import Iterable
from pathlib import Path
from threading import Event, Lock, Thread

from crosswind.kernel.errors import CrosswindError
from crosswind.runner.faults import InterruptedAttemptError
from crosswind.runs.layout import log_chunk_key
from crosswind.runs.ports import ObjectStore

MAX_LOG_BYTES = 100 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
MASK = b"***"
_SHORTEST_SECRET = 3  # a shorter one cannot be hidden: its mask would give away each place where it stands
_LAST_BYTES = 2000


class Masker:
    """Replaces secrets in a stream of bytes by one mask each, however the stream is cut into pieces.

    Each byte that belongs to a secret is hidden, also to one that overlaps another or continues it: where they overlap, one
    mask stands for all of them.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {part.strip() for secret in secrets for part in (secret, *secret.splitlines())}
        self._secrets = [part.encode() for part in sorted(parts) if len(part) >= _SHORTEST_SECRET]
        self._held = b""
        self._hidden = 0  # so many of the first bytes held belong to a secret whose mask was shown already

    def feed(self, data: bytes) -> bytes:
        """What can be shown now; the start of what may become a secret is held back."""
        text = self._held + data
        return self._show(text, len(text) - self._possible_start(text))

    def flush(self) -> bytes:
        """What was held back and did not become a secret."""
        return self._show(self._held, len(self._held))

    def _show(self, text: bytes, end: int) -> bytes:
        """The text up to `end` with its secrets masked; the rest is held."""
        shown = bytearray()
        position = self._hidden
        for start, stop in self._secret_spans(text):
            if start >= end:
                break
            if start < position:  # it continues the last one
                position = max(position, stop)
                continue
            shown += text[position:start] + MASK
            position = stop
        shown += text[position:end]
        self._held, self._hidden = text[end:], max(0, position - end)
        return bytes(shown)

    def _secret_spans(self, text: bytes) -> list[tuple[int, int]]:
        """Where each secret stands, by its start; they may overlap."""
        spans = []
        for secret in self._secrets:
            start = text.find(secret)
            while start >= 0:
                spans.append((start, start + len(secret)))
                start = text.find(secret, start + 1)
        return sorted(spans)

    def _possible_start(self, text: bytes) -> int:
        longest = 0
        for secret in self._secrets:
            for length in range(min(len(secret) - 1, len(text)), longest, -1):
                if text.endswith(secret[:length]):
                    longest = length
                    break
        return longest


class LogShipper:
    """Takes output at any time and uploads what is new after `flush_seconds`, or each full chunk at once.

    With each upload the time until the next doubles, up to `slowest_seconds`: the begin of a log is what people wait
    for, and each upload of a shard that runs long costs as much as its heartbeats of a minute.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        prefix: str,
        spool: Path,
        flush_seconds: float,
        slowest_seconds: float | None = None,
        secrets: Iterable[str] = (),
        limit_bytes: int = MAX_LOG_BYTES,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._flush_seconds = flush_seconds
        self._slowest_seconds = max(flush_seconds, slowest_seconds or 0)
        self._masker = Masker(secrets)
        self._limit = limit_bytes
        self._lock = Lock()
        self._ship_lock = Lock()
        self._file = spool.open("w+b")
        self._written = 0
        self._shipped = 0
        self._full = False
        self._fault: OSError | None = None
        self._wake = Event()
        self._closing = False
        self._thread = Thread(target=self._ship_regularly, daemon=True, name="log")
        self._thread.start()

    @property
    def size(self) -> int:
        """Bytes of the log so far."""
        return self._written

    def write(self, data: bytes) -> None:
        """Add output of the command. A full disk is remembered, not raised: the command must not block."""
        with self._lock:
            try:
                self._append(self._masker.feed(data))
            except OSError as error:
                self._fault = error

    def note(self, sentence: str) -> None:
        """Add a line of the runner's own."""
        with self._lock:
            self._append(self._masker.flush())
            self._append(self._masker.feed(f"[crosswind] {sentence}\n".encode()) + self._masker.flush())

    def last_lines(self, *, after: int = 0) -> str:
        """The end of the log, for a sentence about what went wrong; nothing of before the offset `after`."""
        with self._lock:
            self._append(self._masker.flush())
            start = max(after, self._written - _LAST_BYTES)
            return self._read(start, self._written - start).decode(errors="replace").strip()

    def ship(self) -> None:
        """Upload what is new. Raises what the store raises; the next call goes on from there."""
        with self._ship_lock:
            while True:
                with self._lock:
                    chunk = self._read(self._shipped, min(CHUNK_BYTES, self._written - self._shipped))
                if not chunk:
                    return
                key = log_chunk_key(self._prefix, self._shipped)
                self._store.put(key, chunk, content_type="text/plain; charset=utf-8")
                self._shipped += len(chunk)

    def close(self) -> None:
        """Stop the thread, without a last upload."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._file.close()

    def finish(self) -> None:
        """Write what was held back and upload the rest. Raises what the store raises, and a fault of the disk."""
        with self._lock:
            if self._fault is not None:
                raise self._fault
            self._append(self._masker.flush())
        self.ship()

    def _append(self, data: bytes) -> None:
        if self._full or not data:
            return
        room = self._limit - self._written
        if len(data) > room:
            self._full = True
            data = data[
                :room
            ] + b"\n[crosswind] The log has reached its limit of %d bytes; the rest is cut off.\n" % (
                self._limit
            )
        self._file.seek(self._written)
        self._file.write(data)
        self._written += len(data)
        if self._written - self._shipped >= CHUNK_BYTES:
            self._wake.set()

    def _read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def _ship_regularly(self) -> None:
        seconds = self._flush_seconds
        while not self._closing:
            self._wake.wait(seconds)
            self._wake.clear()
            seconds = min(self._slowest_seconds, seconds * 2)
            if self._closing:
                return
            try:
                self.ship()
            except InterruptedAttemptError:
                return
            except CrosswindError:
                continue  # the store is away; what is not shipped stays in the file for the next time
