"""The runner's end of the channel to a process that pulls its tests (docs/pull-protocol.md).

Two named pipes in a folder that the tests own: `requests` from the process, `grants` to it. The runner makes and opens
both before the tests can touch the folder, each for reading and writing: so neither end ever waits for the other to
open, and whatever the tests put in a pipe's place later is never opened here.
"""

import json
import os
import select
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

REQUESTS, GRANTS = "requests", "grants"
_READ_BYTES = 65_536
_LONGEST_LINE = 16 * 1024 * 1024
_TICK_SECONDS = 0.05


class _Message(BaseModel):
    """Messages may gain fields: what a receiver does not know it passes over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Ready(_Message):
    """The process has collected its tests and asks for its first batch."""

    type: Literal["ready"]
    version: int = 1
    tests: int = 0


class Unable(_Message):
    """The process cannot run batches and ends at once: each batch needs a process of its own."""

    type: Literal["unable"]
    reason: str = "no reason was given"


class _Outcome(_Message):
    batch: int
    failed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # not collected: there is nothing to run
    left: tuple[str, ...] = ()  # collected, and without an end


class Done(_Outcome):
    """A batch has run and its report is written; the process asks for the next one."""

    type: Literal["done"]


class Stopped(_Outcome):
    """As `done`, but the process ends now and asks for nothing more, such as after `-x`."""

    type: Literal["stopped"]


Request = Ready | Unable | Done | Stopped
_REQUESTS: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])


class PullChannel:
    """Both pipes. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._pipes: list[int] = []
        for name in (REQUESTS, GRANTS):
            os.mkfifo(folder / name, mode=0o600)
            self._pipes.append(os.open(folder / name, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            os.close(pipe)

    def requests(self, *, over: Callable[[], bool]) -> Iterator[Request]:
        """Requests as they come, and those that were sent before the process was over. What is none is passed over."""
        held = b""
        while True:
            last = over()
            data = self._read(0.0 if last else _TICK_SECONDS)
            *lines, held = (held + data).split(b"\n")
            if len(held) > _LONGEST_LINE:
                held = b""
            for line in lines:
                try:
                    yield _REQUESTS.validate_json(line)
                except ValidationError:
                    continue
            if last and not data:
                return

    def grant(self, *, batch: int, tests: Sequence[str], report: Path, over: Callable[[], bool]) -> None:
        """Hand out a batch, unless the process is over before it has taken the message."""
        self._send({"type": "batch", "batch": batch, "tests": list(tests), "report": str(report)}, over=over)

    def end(self, *, over: Callable[[], bool]) -> None:
        """Tell the process that there is nothing more for it."""
        self._send({"type": "end"}, over=over)

    def _read(self, wait_seconds: float) -> bytes:
        ready, _, _ = select.select([self._pipes[0]], [], [], wait_seconds)
        return os.read(self._pipes[0], _READ_BYTES) if ready else b""

    def _send(self, message: dict[str, object], *, over: Callable[[], bool]) -> None:
        left = json.dumps(message).encode() + b"\n"
        while left and not over():
            _, ready, _ = select.select([], [self._pipes[1]], [], _TICK_SECONDS)
            if not ready:
                continue
            try:
                left = left[os.write(self._pipes[1], left) :]
            except BlockingIOError:
                continue
