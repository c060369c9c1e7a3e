"""The agent's side of the hand: a command that runs in another container, as if it ran here."""

import errno
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosswind.runner.faults import InfrastructureFaultError, Interruption
from crosswind.runner.hand.frames import BrokenWireError, Kind, read_json, receive, send
from crosswind.runner.sampling import Sampled, from_json
from crosswind.runner.sandbox import Exit, Place
from crosswind.runs.infrastructure import InfrastructureReason

READY_SECONDS = 60.0
_CONNECT_PAUSE = 0.2
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 30.0
"""Beyond a command's own limits: then its container does not answer any more."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Starts commands in the container whose socket this is."""

    path: Path
    ready_seconds: float = READY_SECONDS

    def run(
        self,
        argv: Sequence[str],
        *,
        place: Place,
        env: Mapping[str, str],
        timeout_seconds: float,
        grace_seconds: float,
        output: Callable[[bytes], None],
        interruption: Interruption,
        memory_bytes: int | None,
        directory: Path | None,
        sampled: Sampled | None = None,
    ) -> Exit:
        """Run to the end, as `Sandbox.run` does.

        Raises FileNotFoundError or PermissionError when the command cannot be started, InfrastructureFaultError when the
        tests' container does not begin, or ends under the command.
        """
        with self._connected() as peer:
            asked = {
                "argv": list(argv),
                "env": dict(env),
                "place": str(place.root),
                "timeout": timeout_seconds,
                "grace": grace_seconds,
                "memory": memory_bytes,
                "directory": str(directory) if directory else None,
                "samples": sampled is not None,
            }
            ends_at = time.monotonic() + timeout_seconds + grace_seconds + _PATIENCE_SECONDS
            try:
                send(peer, Kind.RUN, asked)
                return _follow(peer, output, interruption, ends_at=ends_at, sampled=sampled)
            except BrokenWireError as error:
                raise InfrastructureFaultError(
                    InfrastructureReason.OOM_RUNNER,
                    f"the tests' container ended under the command, as it does when it takes more memory than its limit ({error})",
                ) from error

    def _connected(self) -> socket.socket:
        """The tests' container may begin a little later, or begin again after it has died."""
        ends_at = time.monotonic() + self.ready_seconds
        while True:
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                peer.connect(str(self.path))
            except OSError as error:
                peer.close()
                if time.monotonic() >= ends_at:
                    raise InfrastructureFaultError(
                        InfrastructureReason.RUNNER_ERROR,
                        f"the tests' container was not ready within {self.ready_seconds:g} s: {error}",
                    ) from error
                time.sleep(_CONNECT_PAUSE)
            else:
                peer.settimeout(_LOOK_SECONDS)
                return peer


def _follow(
    peer: socket.socket,
    output: Callable[[bytes], None],
    interruption: Interruption,
    *,
    ends_at: float,
    sampled: Sampled | None,
) -> Exit:
    stopped = False
    while True:
        if interruption.is_set() and not stopped:
            send(peer, Kind.STOP, b"")
            stopped = True
            ends_at = min(ends_at, time.monotonic() + _PATIENCE_SECONDS)
        if time.monotonic() >= ends_at:  # however much it has to say
            raise BrokenWireError("it does not end the command")
        try:
            kind, data = receive(peer)
        except TimeoutError:
            continue
        match kind:
            case Kind.OUTPUT:
                output(data)
            case Kind.SAMPLE:
                sample = from_json(read_json(data))
                if sample is not None and sampled is not None:
                    sampled(sample)
            case Kind.END:
                end = read_json(data)
                code = end.get("code")
                return Exit(
                    code=code if isinstance(code, int) else None,
                    timed_out=bool(end.get("timedOut")),
                    out_of_memory=bool(end.get("outOfMemory")),
                    interrupted=bool(end.get("interrupted")),
                )
            case Kind.FAULT:
                raise _fault(read_json(data).get("errno"))
            case _:
                raise BrokenWireError(f"an answer of kind {kind}")


def _fault(number: object) -> OSError:
    """OSError makes FileNotFoundError and its like of the number by itself."""
    known = number if isinstance(number, int) else errno.EIO
    return OSError(known, "the command cannot be started in the tests' container")
