"""What a runner ships when, by a clock that the test sets."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crosswind.contracts.live import EventType, LiveEvent, Piece, Stream
from crosswind.kernel.clock import SystemClock
from crosswind.kernel.errors import DependencyError
from crosswind.runner.events import EventLog
from crosswind.runner.shipping import Shipper
from crosswind.runner.spool import Spool
from crosswind.runs.live.model import Demand, Way
from crosswind.runs.live.shipping import PUSHED_AT_ONCE, Pace
from tests.fakes import MemoryObjectStore
from tests.fakes.live import MemoryLiveQueue
from tests.fakes.samples import make_work

EVERYONE = Demand(log=frozenset({Way.PUSHED}), events=frozenset({Way.PUSHED}))
POLLER = Demand(log=frozenset({Way.POLLED}), events=frozenset({Way.POLLED}))


@dataclass
class Bench:
    """A shipper whose turns the test takes."""

    folder: Path
    now: float = 0.0
    demand: Demand = field(default_factory=Demand)
    asked: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryObjectStore()
        self.queue = MemoryLiveQueue()
        self.log = self._spool(Stream.LOG)
        self.events = self._spool(Stream.EVENTS)
        self.shipper = Shipper(
            make_work(1),
            attempt="01-001",
            spools=(self.events, self.log),
            pace=Pace(live_seconds=2, quiet_seconds=30),
            demand=self._ask,
            queue=self.queue,
            clock=lambda: self.now,
        )
        self.event_log = EventLog(
            self.events,
            clock=SystemClock(),
            log_size=lambda: self.log.written,
            secrets=("s3cret",),
            hurry=self.shipper.hurry,
        )

    def _ask(self) -> Demand:
        self.asked += 1
        return self.demand

    def _spool(self, stream: Stream) -> Spool:
        return Spool(
            self.store,
            stream=stream,
            prefix="p/",
            path=self.folder / stream.value,
            limit_bytes=10**7,
            when_full=b"",
            clock=lambda: self.now,
        )

    def pass_time(self, seconds: float) -> None:
        """Let time go by in ticks of half a second."""
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            self.shipper.turn()

    def stored(self, stream: Stream = Stream.LOG) -> bytes:
        """What the store has of a stream."""
        objects = self.store.objects
        return b"".join(objects[key].data for key in sorted(objects) if f"/{stream.value}/" in key)

    def pieces(self, stream: Stream = Stream.LOG) -> list[Piece]:
        """What was pushed of a stream."""
        return [piece for piece in self.queue.pieces if piece.stream is stream]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_nobody_watching_costs_one_upload_in_30_s_and_no_message(bench: Bench) -> None:
    for _ in range(600):
        bench.log.append(b"line\n")
        bench.pass_time(1)
    assert len(bench.store.objects) == 20
    assert not bench.queue.pieces
    assert bench.asked == 150


def test_events_that_nobody_watches_wait_for_the_end(bench: Bench) -> None:
    bench.event_log.step("attempt-1")
    bench.pass_time(300)
    assert not bench.store.objects
    bench.demand = POLLER
    bench.pass_time(4)
    assert bench.stored(Stream.EVENTS)


def test_a_poller_finds_what_is_new_within_two_seconds_of_its_mark_being_read(bench: Bench) -> None:
    bench.pass_time(4)
    bench.demand = POLLER
    bench.log.append(b"a")
    bench.pass_time(4)
    assert bench.stored() == b"a"
    bench.log.append(b"b")
    bench.pass_time(2)
    assert bench.stored() == b"ab"
    assert not bench.queue.pieces


def test_a_socket_gets_pieces_that_join_what_is_stored(bench: Bench) -> None:
    bench.log.append("before é".encode()[:-1])
    bench.demand = EVERYONE
    bench.pass_time(4)
    bench.log.append("é".encode()[1:] + b" after\n")
    bench.pass_time(2)
    (piece,) = bench.pieces()
    assert piece.text == "é after\n"
    assert bench.stored()[: piece.offset] == b"before "
    uploads = len(bench.store.objects)
    bench.log.append(b"more")
    bench.pass_time(4)
    assert bench.pieces()[-1].text == "more"
    assert len(bench.store.objects) == uploads  # a push is no upload


def test_a_flood_is_pushed_by_its_end_and_the_gap_is_told_and_stored(bench: Bench) -> None:
    bench.demand = EVERYONE
    bench.pass_time(4)
    flood = b"".join(b"%09d\n" % number for number in range(100_000))
    bench.log.append(flood)
    bench.pass_time(2)
    first, last = bench.pieces()[0], bench.pieces()[-1]
    assert first.skipped_from == 0
    assert bench.stored() == flood
    assert first.text.startswith(flood[first.offset : first.offset + 10].decode())
    assert last.next_offset == len(flood)
    assert sum(len(piece.text) for piece in bench.pieces()) <= PUSHED_AT_ONCE


def test_the_first_failure_comes_at_once_and_further_ones_at_a_bounded_rate(bench: Bench) -> None:
    bench.demand = EVERYONE
    bench.pass_time(4)
    for number in range(20):  # ten seconds of failures
        bench.event_log.tell({"event": "finish", "id": f"t{number}", "outcome": "failed", "message": "boom"})
        bench.pass_time(0.5)
    times = [piece.offset for piece in bench.pieces(Stream.EVENTS)]
    assert len(times) <= 7
    first = LiveEvent.model_validate_json(bench.pieces(Stream.EVENTS)[0].text.splitlines()[0])
    assert (first.test, first.outcome, first.message) == ("t0", "failed", "boom")


def test_a_failure_is_uploaded_at_once_though_nobody_watches(bench: Bench) -> None:
    bench.pass_time(1)
    bench.event_log.tell({"event": "finish", "id": "t", "outcome": "error", "message": "boom"})
    bench.pass_time(0.5)
    assert b'"boom"' in bench.stored(Stream.EVENTS)


def test_the_end_is_told_to_those_who_watch(bench: Bench) -> None:
    bench.demand = EVERYONE
    bench.pass_time(4)
    bench.log.append("last €".encode()[:-1])
    bench.shipper.finish()
    assert bench.stored() == "last €".encode()[:-1]
    assert [(piece.text, piece.final) for piece in bench.pieces()] == [("last \ufffd", False), ("", True)]


def test_a_queue_that_is_away_loses_nothing(bench: Bench) -> None:
    bench.demand = EVERYONE
    bench.pass_time(4)
    push = bench.queue.push

    def away(_: object) -> None:
        raise DependencyError("away")

    bench.queue.push = away  # type: ignore[method-assign, assignment]
    bench.log.append(b"line\n")
    bench.now += 2
    with pytest.raises(DependencyError):
        bench.shipper.turn()
    bench.queue.push = push  # type: ignore[method-assign]
    bench.pass_time(2)
    assert [piece.text for piece in bench.pieces()] == ["line\n"]


def test_events_tell_steps_and_tests_with_secrets_masked_and_texts_bounded(bench: Bench) -> None:
    bench.log.append(b"12345")
    bench.event_log.step("attempt-1")
    bench.event_log.tell({"event": "start", "id": "t1", "at": 1})
    bench.event_log.tell(
        {
            "event": "finish",
            "id": "t1",
            "outcome": "failed",
            "seconds": "no",
            "message": "s3cret " + "x" * 9999,
        }
    )
    bench.event_log.tell({"event": "uncollected", "id": "t2"})
    bench.event_log.tell({})
    bench.events.ship()
    step, start, finish = [
        LiveEvent.model_validate_json(line) for line in bench.stored(Stream.EVENTS).splitlines()
    ]
    assert (step.type, step.step, step.log_offset) == (EventType.STEP, "attempt-1", 5)
    assert (start.type, start.test, start.step) == (EventType.START, "t1", "attempt-1")
    assert (finish.outcome, finish.seconds, len(finish.message or "")) == ("failed", None, 1000)
    assert "s3cret" not in bench.stored(Stream.EVENTS).decode()
