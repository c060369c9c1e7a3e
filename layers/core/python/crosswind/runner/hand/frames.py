"""The wire between agent and hand: a kind, a length, and so many bytes. Both sides bound what they take."""

import json
import socket
import struct
import time
from enum import StrEnum
from typing import Any

_HEAD = struct.Struct(">cI")
MOST_BYTES = 8 * 1024 * 1024
FRAME_SECONDS = 30.0
"""A frame that has begun is whole by then, or the other side is not to be trusted with our time."""


class Kind(StrEnum):
    """What a frame is."""

    RUN = "r"  # agent: the command
    STOP = "k"  # agent: end it now
    OUTPUT = "o"  # hand: what it printed
    SAMPLE = "s"  # hand: what it uses, where the agent wants to know
    END = "e"  # hand: how it ended
    FAULT = "x"  # hand: it could not be started


class BrokenWireError(Exception):
    """The other side is gone, or does not speak this language."""


def send(peer: socket.socket, kind: Kind, data: bytes | dict[str, Any]) -> None:
    """Within FRAME_SECONDS, whatever the socket's timeout. Raises BrokenWireError."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode(errors="surrogatepass")
    left = memoryview(_HEAD.pack(kind.value.encode(), len(body)) + body)
    ends_at = time.monotonic() + FRAME_SECONDS
    while left:
        try:
            left = left[peer.send(left) :]
        except TimeoutError as error:
            if time.monotonic() >= ends_at:
                raise BrokenWireError("the other side does not read") from error
        except OSError as error:
            raise BrokenWireError(str(error)) from error


def receive(peer: socket.socket) -> tuple[Kind, bytes]:
    """The next frame.

    Raises:
        TimeoutError: The socket has a timeout, and nothing has begun within it.
        BrokenWireError: Besides what breaks a wire: what had begun was not whole within FRAME_SECONDS.
    """
    kind, length = _HEAD.unpack(_exactly(peer, _HEAD.size, has_begun=False))
    if length > MOST_BYTES:
        raise BrokenWireError(f"a frame of {length} bytes")
    try:
        return Kind(kind.decode()), _exactly(peer, length, has_begun=True)
    except (ValueError, UnicodeDecodeError) as error:
        raise BrokenWireError(str(error)) from error


def read_json(data: bytes) -> dict[str, Any]:
    """Raises BrokenWireError."""
    try:
        read = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BrokenWireError(str(error)) from error
    if not isinstance(read, dict):
        raise BrokenWireError("no object")
    return read


def _exactly(peer: socket.socket, count: int, *, has_begun: bool) -> bytes:
    """A frame that has begun is read on whatever the socket's timeout; only that of the agent's side has one."""
    parts: list[bytes] = []
    missing = count
    ends_at = time.monotonic() + FRAME_SECONDS
    while missing:
        try:
            part = peer.recv(min(missing, 65_536))
        except TimeoutError:
            if not parts and not has_begun:
                raise
        except OSError as error:
            raise BrokenWireError(str(error)) from error
        else:
            if not part:
                raise BrokenWireError("the other side has closed the connection")
            parts.append(part)
            missing -= len(part)
        if missing and peer.gettimeout() is not None and time.monotonic() >= ends_at:
            raise BrokenWireError("the other side has begun a frame and does not end it")
    return b"".join(parts)
