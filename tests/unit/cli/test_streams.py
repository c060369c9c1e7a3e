"""A reader shows each byte once, in order, whatever happens to the socket."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.cli.client import ApiClient
from crosswind.cli.streams import Follower
from crosswind.contracts.live import Piece, Skipped, Stream
from crosswind.contracts.requests import LogChunk
from crosswind.runs.live.text import cut, whole_characters

WORK = "shard-00001"


class Shard:
    """A shard's log by attempts: what was written of the last, what the store has, and the pieces that were made."""

    def __init__(self) -> None:
        self.number = 1
        self.written = b""
        self.stored = 0
        self.pushed = 0
        self.done = False

    @property
    def attempt(self) -> str:
        return f"{self.number:02d}-001"

    def retry(self) -> None:
        """The attempt is lost; another begins."""
        self.number += 1
        self.written, self.stored, self.pushed = b"", 0, 0

    def push(self) -> list[Piece]:
        """Pieces of what is new."""
        pieces = []
        for part in cut(self.written[self.pushed :], longest=7):
            pieces.append(self._piece(self.pushed, part))
            self.pushed += len(part)
        return pieces

    def skip(self) -> None:
        """Push nothing of what is new."""
        self.pushed += whole_characters(self.written[self.pushed :])

    def logs(self, run_id: str, query: dict[str, Any]) -> LogChunk:
        """The REST API, which gives at most 10 bytes at once."""
        assert run_id
        offset = query["offset"]
        data = self.written[offset : min(self.stored, offset + 10)]
        ended = offset + len(data) == len(self.written)
        whole = len(data) if self.done and ended else whole_characters(data)
        return LogChunk(
            work_id=WORK,
            attempt=self.attempt,
            offset=offset,
            next_offset=offset + whole,
            complete=self.done and ended,
            text=data[:whole].decode(errors="replace"),
        )

    def _piece(self, offset: int, part: bytes) -> Piece:
        return Piece(
            run_id="r",
            work_id=WORK,
            attempt=self.attempt,
            stream=Stream.LOG,
            offset=offset,
            next_offset=offset + len(part),
            text=part.decode(errors="replace"),
        )


class Reader:
    """What a terminal shows, by attempt."""

    def __init__(self, shard: Shard) -> None:
        self.client = cast("ApiClient", shard)
        self.follower = Follower(WORK)
        self.shown: dict[str, str] = {}

    def take(self, chunks: Any) -> None:
        for chunk in chunks:
            assert chunk.offset == len(self.bytes_of(chunk.attempt)) or "\ufffd" in self.shown[chunk.attempt]
            self.shown[chunk.attempt] = self.shown.get(chunk.attempt, "") + chunk.text

    def bytes_of(self, attempt: str) -> bytes:
        return self.shown.get(attempt, "").encode()

    def read(self) -> None:
        self.take(self.follower.read(self.client, "r"))


ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.one_of(st.text(max_size=12).map(str.encode), st.binary(max_size=8))),
    st.sampled_from(["push", "skip", "lose", "twice", "swap", "store", "read", "late", "retry"]),
)


def play(action: str, shard: Shard, late: list[Piece]) -> list[Piece]:
    """What reaches the reader of an action: pieces that are lost come much later, or never."""
    match action:
        case "push":
            return shard.push()
        case "twice":
            pieces = shard.push()
            return pieces + pieces
        case "swap":
            return shard.push()[::-1]
        case "lose":
            late += shard.push()
        case "skip":
            shard.skip()
        case "late":
            found = late[:]
            late.clear()
            return found
    return []


@given(actions=st.lists(ACTIONS, max_size=60))
def test_any_sequence_of_losses_and_reconnects_shows_the_same_bytes(actions: list[Any]) -> None:
    shard = Shard()
    reader = Reader(shard)
    late: list[Piece] = []
    for action in actions:
        match action:
            case ("write", bytes(data)):
                shard.written += data
            case "store":
                shard.stored = len(shard.written)
            case "read":
                reader.read()
            case "retry":
                shard.retry()
            case str(name):
                for piece in play(name, shard, late):
                    reader.take(reader.follower.offer(piece))
    shard.done, shard.stored = True, len(shard.written)
    reader.read()
    assert reader.follower.complete
    assert reader.shown.get(shard.attempt, "") == shard.written.decode(errors="replace")


def test_what_was_skipped_is_known_to_be_missing_and_read_from_the_store() -> None:
    shard = Shard()
    reader = Reader(shard)
    reader.read()
    shard.written, shard.stored = b"one two", 4
    assert not reader.follower.behind
    gap = Skipped(run_id="r", work_id=WORK, attempt="01-001", stream=Stream.LOG, from_offset=0, to_offset=4)
    assert reader.follower.offer(gap) == []
    assert reader.follower.behind
    reader.read()
    assert not reader.follower.behind
    assert reader.shown == {"01-001": "one "}


def test_pieces_that_wait_for_a_gap_are_shown_once_it_is_filled() -> None:
    shard = Shard()
    reader = Reader(shard)
    reader.read()
    shard.written = b"lost"
    shard.push()
    shard.written += b" kept"
    for piece in shard.push():
        assert reader.follower.offer(piece) == []
    assert reader.follower.behind
    shard.stored = 4
    reader.read()
    assert reader.shown == {"01-001": "lost kept"}


@pytest.mark.parametrize("stored", [0, 3])
def test_a_piece_that_overlaps_what_was_read_adds_its_end(stored: int) -> None:
    shard = Shard()
    shard.written, shard.stored = b"abcdef", stored
    reader = Reader(shard)
    reader.read()
    for piece in shard.push():
        reader.take(reader.follower.offer(piece))
    assert reader.shown == {"01-001": "abcdef"}


def test_news_of_an_attempt_that_was_given_up_is_not_shown() -> None:
    shard = Shard()
    reader = Reader(shard)
    shard.written = b"old"
    old = shard.push()
    shard.retry()
    reader.read()
    assert reader.follower.offer(old[0]) == []
    assert not reader.follower.behind


def test_a_reader_may_begin_with_the_first_piece_that_comes() -> None:
    shard = Shard()
    shard.written = b"before "
    shard.push()
    shard.written += b"now"
    follower = Follower(WORK)
    (piece,) = shard.push()
    follower.begin_with(piece)
    assert [chunk.text for chunk in follower.offer(piece)] == ["now"]
