"""Holds one fault on one service until its time is over or it is told to end (SIGTERM), and then undoes it itself.

Started as a process of its own: `python -m crosswind.adapters.providers.process.holder MARKER SERVICE JSON`. So a fault
ends in time although whoever injected it is gone. Marker and service in its command line are how it is found again.
When the holder itself is killed, memory and disk are free again at once; a target that stays stopped or killed is made
good by whoever undoes the fault.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from crosswind.adapters.providers.process.registry import process_of
from crosswind.adapters.providers.process.starting import start_again

NOT_THERE = 3
_TURN_SECONDS = 0.1  # of starvation: stopped for a share of each turn
_CHUNK_BYTES = 16 * 1024 * 1024


@dataclass
class _Until:
    """The end of the fault."""

    at: float
    ended: bool = False

    def end(self, _signal: int, _frame: FrameType | None) -> None:
        self.ended = True

    @property
    def over(self) -> bool:
        return self.ended or time.monotonic() >= self.at

    def wait(self, seconds: float) -> None:
        """No longer than until the end; a signal ends it within 50 ms."""
        stop = time.monotonic() + seconds
        while not self.over and (left := stop - time.monotonic()) > 0:
            time.sleep(min(0.05, left))


def main() -> None:
    """Apply the fault, hold it, undo it."""
    order = json.loads(sys.argv[3])
    until = _Until(time.monotonic() + float(order["seconds"]))
    signal.signal(signal.SIGTERM, until.end)
    signal.signal(signal.SIGINT, until.end)
    target = process_of(int(order["pid"]), float(order["started"]))
    if target is None:
        sys.exit(NOT_THERE)
    with contextlib.suppress(psutil.NoSuchProcess), _FAULTS[order["action"]](target, order, until):
        until.wait(float("inf"))


@contextlib.contextmanager
def _freeze(target: psutil.Process, _order: dict[str, Any], _until: _Until) -> Iterator[None]:
    target.suspend()
    try:
        yield
    finally:
        _go_on(target)


@contextlib.contextmanager
def _starve(target: psutil.Process, order: dict[str, Any], until: _Until) -> Iterator[None]:
    """Stop the target for a share of every turn, so that it gets only the rest of the processor's time."""
    stopped = _TURN_SECONDS * float(order["share"])
    try:
        while not until.over:
            target.suspend()
            until.wait(stopped)
            target.resume()
            until.wait(_TURN_SECONDS - stopped)
        yield
    finally:
        _go_on(target)


@contextlib.contextmanager
def _fill_memory(_target: psutil.Process, order: dict[str, Any], until: _Until) -> Iterator[None]:
    """Take memory of the machine, touched page by page; the kernel gets it back with this process."""
    blocks: list[bytearray] = []
    left = int(order["bytes"])
    while left > 0 and not until.over:
        size = min(_CHUNK_BYTES, left)
        blocks.append(bytearray(b"\x01") * size)
        left -= size
    yield


@contextlib.contextmanager
def _fill_disk(_target: psutil.Process, order: dict[str, Any], until: _Until) -> Iterator[None]:
    """Fill a file below the service's folder. It has no name, so that nothing is left of it whatever happens."""
    with tempfile.TemporaryFile(dir=Path(order["folder"])) as file:
        left = int(order["bytes"])
        chunk = b"\0" * _CHUNK_BYTES
        with contextlib.suppress(OSError):  # full is what was wanted
            while left > 0 and not until.over:
                left -= file.write(chunk[: min(_CHUNK_BYTES, left)])
                file.flush()
                os.fsync(file.fileno())
        yield


@contextlib.contextmanager
def _kill(target: psutil.Process, order: dict[str, Any], _until: _Until) -> Iterator[None]:
    target.kill()
    try:
        yield
    finally:
        start_again(Path(order["home"]), str(order["application"]), str(order["service"]))


def _go_on(target: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        target.resume()


_FAULTS: dict[
    str, Callable[[psutil.Process, dict[str, Any], _Until], contextlib.AbstractContextManager[None]]
] = {
    "freeze": _freeze,
    "cpu": _starve,
    "memory": _fill_memory,
    "disk": _fill_disk,
    "kill": _kill,
}

if __name__ == "__main__":
    main()
