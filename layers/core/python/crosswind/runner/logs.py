"""An attempt's log: the output of its commands with secrets masked, and the runner's own lines."""

from collections.abc import Callable, Iterable
from threading import Lock

from crosswind.runner.spool import Spool

MAX_LOG_BYTES = 100 * 1024 * 1024
LOG_CUT = b"\n[crosswind] The log has reached its limit of %d bytes; the rest is cut off.\n" % MAX_LOG_BYTES
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


def mask_text(text: str, secrets: Iterable[str]) -> str:
    """A whole text with its secrets masked."""
    masker = Masker(secrets)
    return (masker.feed(text.encode(errors="replace")) + masker.flush()).decode(errors="replace")


class AttemptLog:
    """Takes output at any time into its spool."""

    def __init__(
        self, spool: Spool, *, secrets: Iterable[str] = (), wake: Callable[[], None] = lambda: None
    ) -> None:
        """`wake` is called when so much waits that it should be uploaded at once."""
        self.spool = spool
        self._masker = Masker(secrets)
        self._lock = Lock()
        self._wake = wake
        self._fault: OSError | None = None

    @property
    def size(self) -> int:
        """Bytes of the log so far."""
        return self.spool.written

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
            start = max(after, self.size - _LAST_BYTES)
            return self.spool.read(start, self.size - start).decode(errors="replace").strip()

    def flush(self) -> None:
        """Write what was held back. Raises a fault of the disk."""
        with self._lock:
            if self._fault is not None:
                raise self._fault
            self._append(self._masker.flush())

    def _append(self, data: bytes) -> None:
        self.spool.append(data)
        if self.spool.full_chunk:
            self._wake()
