"""Masking and shipping of logs."""

from pathlib import Path
from threading import Event
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswind.kernel.errors import DependencyError
from crosswind.runner.logs import CHUNK_BYTES, MASK, LogShipper, Masker
from tests.fakes import MemoryObjectStore
from tests.unit.runner.rig import wait_until


def shipper(store: MemoryObjectStore, folder: Path, **options: object) -> LogShipper:
    """A shipper that uploads by itself only when a chunk is full."""
    return LogShipper(store, prefix="p/", spool=folder / "log", **({"flush_seconds": 60} | options))  # type: ignore[arg-type]


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
    log = shipper(store, tmp_path)
    text = b"0123456789" * 150_000
    log.write(text)
    wait_until(lambda: len(store.objects) == 2)
    log.write(b"end")
    log.finish()
    log.close()
    assert sorted(store.objects) == [f"p/log/{offset:015d}" for offset in (0, CHUNK_BYTES, len(text))]
    assert b"".join(store.objects[key].data for key in sorted(store.objects)) == text + b"end"


def test_a_log_is_cut_at_its_limit_and_says_so(tmp_path: Path) -> None:
    store = MemoryObjectStore()
    log = shipper(store, tmp_path, limit_bytes=10)
    for _ in range(5):
        log.write(b"four")
    log.finish()
    log.close()
    (chunk,) = store.objects.values()
    assert chunk.data.startswith(b"fourfourfo\n[crosswind] The log has reached its limit of 10 bytes")
    assert chunk.data.count(b"four") == 2


def test_what_could_not_be_shipped_is_shipped_later(tmp_path: Path) -> None:
    class Away(MemoryObjectStore):
        away = True

        def put(self, key: str, data: bytes, *, content_type: str = "") -> None:
            if self.away:
                raise DependencyError("away")
            super().put(key, data, content_type=content_type)

    store = Away()
    log = shipper(store, tmp_path, flush_seconds=0.01)
    log.write(b"first ")
    with pytest.raises(DependencyError):
        log.ship()
    store.away = False
    log.write(b"second")
    log.finish()
    log.close()
    assert b"".join(store.objects[key].data for key in sorted(store.objects)) == b"first second"


def test_uploads_come_more_slowly_while_a_log_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []

    class Waits(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return super().wait(0.001 if len(waits) < 5 else timeout)

    monkeypatch.setattr("crosswind.runner.logs.Event", Waits)
    log = shipper(MemoryObjectStore(), tmp_path, flush_seconds=30, slowest_seconds=120)
    while len(waits) < 5:
        sleep(0.001)
    log.close()
    assert waits[:5] == [30, 60, 120, 120, 120]
