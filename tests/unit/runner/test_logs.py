"""Masking and shipping of logs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.contracts.live import Stream
from crosswind.kernel.errors import DependencyError
from crosswind.runner.logs import LOG_CUT, MASK, MAX_LOG_BYTES, AttemptLog, Masker
from crosswind.runner.spool import Spool
from crosswind.runs.live.shipping import CHUNK_BYTES
from tests.fakes import MemoryObjectStore


def log_in(
    store: MemoryObjectStore,
    folder: Path,
    *,
    limit_bytes: int = MAX_LOG_BYTES,
    when_full: bytes = LOG_CUT,
    wake: Callable[[], None] = lambda: None,
) -> AttemptLog:
    """A log whose spool is uploaded when the test says so."""
    spool = Spool(
        store,
        stream=Stream.LOG,
        prefix="p/",
        path=folder / "log",
        limit_bytes=limit_bytes,
        when_full=when_full,
    )
    return AttemptLog(spool, wake=wake)


@given(
    pieces=st.lists(st.text(alphabet="abc", max_size=6), max_size=20),
    secrets=st.lists(st.text(alphabet="abc", min_size=3, max_size=5), min_size=1, max_size=3),
)
def test_no_secret_is_shown_wherever_the_stream_is_cut(pieces: list[str], secrets: list[str]) -> None:
    masker = Masker(secrets)
    shown = b"".join(masker.feed(piece.encode()) for piece in pieces) + masker.flush()
    assert not any(secret.encode() in shown for secret in secrets)


def masked(text: bytes, secrets: list[str]) -> bytes:
    """What must be shown, byte by byte: one mask for each secret, and for secrets that overlap."""
    starts = [
        (start, start + len(secret))
        for secret in map(str.encode, secrets)
        for start in range(len(text))
        if text.startswith(secret, start)
    ]
    shown, hidden = bytearray(), 0
    for position in range(len(text)):
        stops = [stop for start, stop in starts if start == position]
        if stops and position >= hidden:
            shown += MASK
        hidden = max([hidden, *stops])
        if position >= hidden:
            shown += text[position : position + 1]
    return bytes(shown)


@given(
    pieces=st.lists(st.text(alphabet="abc", max_size=6), max_size=20),
    secrets=st.lists(st.text(alphabet="abc", min_size=3, max_size=8), min_size=1, max_size=4),
)
def test_every_byte_of_a_secret_is_hidden_however_the_stream_is_cut(
    pieces: list[str], secrets: list[str]
) -> None:
    masker = Masker(secrets)
    shown = b"".join(masker.feed(piece.encode()) for piece in pieces) + masker.flush()
    assert shown == masked("".join(pieces).encode(), secrets)


def test_the_tail_of_a_longer_secret_is_not_shown_when_a_shorter_one_is_its_start() -> None:
    masker = Masker(["token", "token-of-prod"])
    assert masker.feed(b"it is token") + masker.feed(b"-of-prod.") + masker.flush() == b"it is ***."
    assert masker.feed(b"it is token") + masker.feed(b"-of-dev.") + masker.flush() == b"it is ***-of-dev."


def test_what_is_no_secret_is_shown_at_once() -> None:
    masker = Masker(["secret"])
    assert masker.feed(b"hello\nsec") == b"hello\n"
    assert masker.feed(b"ond\n") == b"second\n"


def test_each_line_of_a_secret_is_hidden() -> None:
    masker = Masker(["-----BEGIN-----\nabcdef\n-----END-----\n"])
    assert masker.feed(b"key: abcdef.") + masker.flush() == b"key: ***."


def test_chunks_are_named_by_their_offset_and_are_the_whole_log(tmp_path: Path) -> None:
    store = MemoryObjectStore()
    log = log_in(store, tmp_path)
    text = b"0123456789" * 150_000
    log.write(text)
    log.spool.ship()
    log.write(b"end")
    log.spool.ship()
    assert sorted(store.objects) == [f"p/log/{offset:015d}" for offset in (0, CHUNK_BYTES, len(text))]
    assert b"".join(store.objects[key].data for key in sorted(store.objects)) == text + b"end"


def test_a_full_chunk_asks_to_be_uploaded_at_once(tmp_path: Path) -> None:
    woken: list[int] = []
    log = log_in(MemoryObjectStore(), tmp_path, wake=lambda: woken.append(1))
    log.write(b"x" * (CHUNK_BYTES - 1))
    assert not woken
    log.write(b"x")
    assert woken


def test_a_log_is_cut_at_its_limit_and_says_so(tmp_path: Path) -> None:
    store = MemoryObjectStore()
    log = log_in(store, tmp_path, limit_bytes=10, when_full=b"\n[crosswind] cut")
    for _ in range(5):
        log.write(b"four")
    log.flush()
    log.spool.ship()
    (chunk,) = store.objects.values()
    assert chunk.data == b"fourfourfo\n[crosswind] cut"


def test_what_could_not_be_shipped_is_shipped_later(tmp_path: Path) -> None:
    class Away(MemoryObjectStore):
        away = True

        def put(self, key: str, data: bytes, *, content_type: str = "") -> None:
            if self.away:
                raise DependencyError("away")
            super().put(key, data, content_type=content_type)

    store = Away()
    log = log_in(store, tmp_path)
    log.write(b"first ")
    with pytest.raises(DependencyError):
        log.spool.ship()
    store.away = False
    log.write(b"second")
    log.spool.ship()
    assert b"".join(store.objects[key].data for key in sorted(store.objects)) == b"first second"
