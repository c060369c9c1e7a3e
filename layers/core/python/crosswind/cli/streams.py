"""One stream of a shard as a reader puts it together: pieces that come by the socket, and what REST has in between.

Pieces may be missing, come twice or in another order, and a socket may close at any time. What is shown is each byte
once, in order, whatever happens: a piece is shown when it begins where the last one ended, and where one is missing REST
is asked from there on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from crosswind.cli.client import ApiClient
from crosswind.contracts.live import Piece, Skipped, Stream
from crosswind.contracts.requests import LogChunk

MOST_HELD = 1024 * 1024
"""Characters of pieces that wait for a gap to be filled; beyond it they are dropped, for REST will have them."""


@dataclass
class Follower:
    """Where the reading of one stream stands. A new attempt starts a new one."""

    work_id: str
    stream: Stream = Stream.LOG
    offset: int = 0
    attempt: str | None = None
    complete: bool = False
    named: str | None = None  # an attempt to be read in the present one's place
    stale: bool = True  # REST may have more than was seen
    rest: str = field(default="", repr=False)  # of a line that is not whole yet, kept for whoever prints it
    _wanted: int = 0  # pieces told of bytes up to here
    _next_attempt: str | None = None
    _held: dict[tuple[str, int], Piece] = field(default_factory=dict, repr=False)

    @property
    def behind(self) -> bool:
        """Whether something is known to be missing."""
        newer = self._next_attempt is not None and self._next_attempt != self.attempt
        return not self.complete and (self.attempt is None or newer or self._wanted > self.offset)

    def begin_with(self, piece: Piece) -> None:
        """Show nothing of what was before this piece."""
        if self.attempt is None:
            self.attempt, self.offset, self.stale = piece.attempt, piece.offset, False

    def offer(self, message: Piece | Skipped) -> list[LogChunk]:
        """What can be shown now that this has come."""
        end = message.next_offset if isinstance(message, Piece) else message.to_offset
        if self.complete or (self.attempt is not None and message.attempt < self.attempt):
            return []
        if message.attempt != self.attempt:
            self._next_attempt = max(self._next_attempt or "", message.attempt)
        else:
            self._wanted = max(self._wanted, end)
        if isinstance(message, Piece):
            self.stale |= message.final
            if sum(len(piece.text) for piece in self._held.values()) + len(message.text) <= MOST_HELD:
                self._held[message.attempt, message.offset] = message
        return list(self._join())

    def read(self, client: ApiClient, run_id: str) -> Iterator[LogChunk]:
        """Everything that REST has now, and the pieces that follow it."""
        while not self.complete:
            other = None if self.stream is Stream.LOG else self.stream.value
            place: dict[str, str | int | None] = {"workId": self.work_id, "offset": self.offset}
            chunk = client.logs(run_id, {**place, "stream": other, "attempt": self.named})
            if self.attempt is not None and chunk.attempt != self.attempt:
                self._start(chunk.attempt)
                continue
            if self.attempt is None:
                self._start(chunk.attempt, offset=self.offset)
            self.complete = chunk.complete
            moved = chunk.next_offset > self.offset
            self.offset = chunk.next_offset
            if chunk.text:
                yield chunk
            joined = list(self._join())
            yield from joined
            if not moved and not joined:
                self.stale = False
                return

    def _start(self, attempt: str, *, offset: int = 0) -> None:
        self.attempt, self.offset, self.rest = attempt, offset, ""
        self._held = {place: piece for place, piece in self._held.items() if place[0] >= attempt}
        self._wanted = max(
            (piece.next_offset for (name, _), piece in self._held.items() if name == attempt), default=0
        )

    def _join(self) -> Iterator[LogChunk]:
        """Held pieces that continue what was shown."""
        for place in sorted(self._held):
            piece = self._held[place]
            if piece.attempt != self.attempt or piece.offset > self.offset:
                continue
            del self._held[place]
            text = _from(piece, self.offset)
            if text is None or not text:
                continue  # had already; or it cannot be told where the new part begins, and REST tells it
            chunk = LogChunk(
                work_id=self.work_id,
                attempt=piece.attempt,
                stream=self.stream,
                offset=self.offset,
                next_offset=piece.next_offset,
                complete=False,
                text=text,
            )
            self.offset = piece.next_offset
            yield chunk


def _from(piece: Piece, offset: int) -> str | None:
    """The text of a piece from an offset on; None where bytes that are no text make it unknown which part that is."""
    if piece.next_offset <= offset:
        return ""
    if piece.offset == offset:
        return piece.text
    data = piece.text.encode()
    if len(data) != piece.next_offset - piece.offset:
        return None
    return data[offset - piece.offset :].decode(errors="replace")
