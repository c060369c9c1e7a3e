"""The wire between agent and hand: neither side can be held up by the other."""

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from crosswind.runner.faults import Interruption
from crosswind.runner.hand import calling, frames
from crosswind.runner.hand.frames import BrokenWireError, Kind, receive, send

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The agent's end, which looks up each moment, and the hand's."""
    monkeypatch.setattr(frames, "FRAME_SECONDS", 0.3)
    agent, hand = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    agent.settimeout(0.02)
    with agent, hand:
        yield agent, hand


def test_a_frame_comes_whole_however_slowly(wire: tuple[socket.socket, socket.socket]) -> None:
    agent, hand = wire
    sent = struct.pack(">cI", b"o", 3) + b"abc"

    def slowly() -> None:
        for index in range(len(sent)):
            hand.send(sent[index : index + 1])
            time.sleep(0.01)

    thread = threading.Thread(target=slowly)
    thread.start()
    frame = _next(agent)
    thread.join()

    assert frame == (Kind.OUTPUT, b"abc")


def test_nothing_begun_is_no_broken_wire(wire: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TimeoutError):
        receive(wire[0])


@pytest.mark.parametrize("begun", [b"o", struct.pack(">cI", b"o", 3), struct.pack(">cI", b"o", 3) + b"ab"])
def test_a_frame_that_is_begun_and_not_ended_breaks_the_wire(
    wire: tuple[socket.socket, socket.socket], begun: bytes
) -> None:
    agent, hand = wire
    hand.send(begun)

    with pytest.raises(BrokenWireError, match="does not end it"):
        receive(agent)


def test_a_large_frame_waits_for_a_slow_reader_and_not_for_one_that_does_not_read(
    wire: tuple[socket.socket, socket.socket],
) -> None:
    agent, hand = wire
    large = b"x" * 1_000_000
    read: list[tuple[Kind, bytes]] = []

    def late() -> None:
        time.sleep(0.1)
        read.append(receive(hand))

    thread = threading.Thread(target=late)
    thread.start()
    send(agent, Kind.RUN, large)
    thread.join()
    assert read == [(Kind.RUN, large)]

    with pytest.raises(BrokenWireError, match="does not read"):
        send(agent, Kind.RUN, large)


def test_output_without_end_does_not_outlast_the_commands_limits(
    wire: tuple[socket.socket, socket.socket],
) -> None:
    agent, hand = wire
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            send(hand, Kind.OUTPUT, b"more")

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        with pytest.raises(BrokenWireError, match="does not end the command"):
            calling._follow(
                agent, lambda _data: None, Interruption(), ends_at=time.monotonic() + 0.1, sampled=None
            )
    finally:
        stop.set()
        for _ in range(10_000):
            try:
                agent.recv(65_536)
            except TimeoutError:
                break
        thread.join()


def _next(agent: socket.socket) -> tuple[Kind, bytes]:
    while True:
        try:
            return receive(agent)
        except TimeoutError:
            continue
