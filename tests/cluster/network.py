"""A network of one's own for real pods: nothing outside this machine can reach them, and they reach what is handed in.

Pods cannot reach 127.0.0.1 of the machine. A `Bridge` listens inside the namespace and leads to a port outside, or the
other way round: a socket stays in the namespace in which it was made, whoever uses it later.
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from crosswind.local.home import LOOPBACK

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_SET_FLAGS, _SET_ADDRESS, _SET_MASK = 0x8914, 0x8916, 0x891C  # SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK
_UP_AND_RUNNING = 0x41  # IFF_UP | IFF_RUNNING
_PIECE = 65536
Answer = TypeVar("Answer")


class NetworkNamespace:
    """A network namespace that lives as long as this object or a process in it."""

    def __init__(self) -> None:
        """Make it, with a loopback device that is up. Raises OSError where that is not allowed."""
        # One thread lives in it; the rest of this process stays where it is.
        self._inside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pod-network")
        self._handle = self.run(_unshare)
        self.run(lambda: _configure("lo", LOOPBACK, "255.0.0.0"))
        self._aliases = 0

    @property
    def path(self) -> str:
        """For `nsenter --net=`; good while this process lives."""
        return f"/proc/{os.getpid()}/fd/{self._handle}"

    def run(self, act: Callable[[], Answer]) -> Answer:
        """Do something inside."""
        return self._inside.submit(act).result()

    def add_address(self, address: str) -> None:
        """One more address of the namespace itself, on its loopback device: its pods reach it by their gateway."""
        self._aliases += 1
        name = f"lo:{self._aliases}"
        self.run(lambda: _configure(name, address, "255.255.255.255"))

    def listen(self, address: str, port: int) -> socket.socket:
        """A server's socket inside."""
        return self.run(lambda: socket.create_server((address, port)))

    def connect(self, address: str, port: int) -> socket.socket:
        """A client's socket inside."""
        return self.run(lambda: socket.create_connection((address, port), timeout=5))

    def close(self) -> None:
        """Let go of it."""
        self._inside.shutdown(wait=True)
        os.close(self._handle)


def _unshare() -> int:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_NEW_NETWORK) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network namespace: {os.strerror(number)}")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _configure(device: str, address: str, mask: str) -> None:
    name = device.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SET_ADDRESS, address), (_SET_MASK, mask)):
            body = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, request, body)
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", name, _UP_AND_RUNNING))


@dataclass
class Bridge:
    """Hands every connection of a listening socket on to where `connect` leads."""

    listener: socket.socket
    connect: Callable[[], socket.socket]
    _open: set[socket.socket] = field(default_factory=set)

    def start(self) -> None:
        """Accept from now on."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more, and cut what is open."""
        for each in [self.listener, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), self.connect() as upstream:
            upstream.settimeout(None)
            self._open |= {client, upstream}
            back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
            back.start()
            _pump(client, upstream)
            back.join()
            self._open -= {client, upstream}


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
