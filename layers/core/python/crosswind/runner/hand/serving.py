"""`crosswind-runner --hand SOCKET`: the process in the tests' container. One command at a time, one connection for each."""

import logging
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from crosswind.runner.environment import TestEnvironment
from crosswind.runner.faults import Cause, Interruption
from crosswind.runner.hand.frames import BrokenWireError, Kind, read_json, receive, send
from crosswind.runner.sampling import Account, Sample, container_account, to_json
from crosswind.runner.sandbox import Place, Sandbox

HEADROOM_BYTES = 64 * 1024 * 1024
"""Of the container's memory, kept free of tests: a command that comes so near to the limit is ended and told of, instead
of the whole container."""
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_UNLIMITED = 1 << 60
_log = logging.getLogger(__name__)


@dataclass
class HandServer:
    """Listens at a socket and runs what it is asked to."""

    path: Path
    environment: TestEnvironment
    memory_bytes: int | None = None
    account: Account | None = None
    _busy: Lock = field(default_factory=Lock)
    _listening: socket.socket | None = None

    def listen(self) -> None:
        """Open the socket. One that an earlier process left is replaced."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(self.path))
        listening.listen(8)
        self._listening = listening

    def serve(self) -> None:
        """Until `close`."""
        listening = self._listening
        if listening is None:
            raise RuntimeError("listen first")
        while True:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            Thread(target=self._serve_one, args=(peer,), daemon=True, name="command").start()

    def close(self) -> None:
        """Take no more."""
        if self._listening is not None:
            with suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()

    def _serve_one(self, peer: socket.socket) -> None:
        with peer, suppress(BrokenWireError):
            kind, data = receive(peer)
            if kind is not Kind.RUN:
                return
            with self._busy:  # what a command leaves behind is found by whose child it is: one at a time
                self._run(peer, read_json(data))

    def _run(self, peer: socket.socket, asked: Mapping[str, Any]) -> None:
        interruption = Interruption()
        Thread(target=_listen_for_stop, args=(peer, interruption), daemon=True, name="stop").start()
        sending = Lock()  # output comes from another thread than samples do

        def output(data: bytes) -> None:
            with suppress(BrokenWireError), sending:
                send(peer, Kind.OUTPUT, data)

        def sampled(sample: Sample) -> None:
            with suppress(BrokenWireError), sending:
                send(peer, Kind.SAMPLE, to_json(sample))

        sandbox = Sandbox(
            environment=self.environment,
            place=Place(Path(asked["place"])),
            grace_seconds=float(asked["grace"]),
            sampled=sampled if asked.get("samples") else None,
            account=self.account,
        )

        try:
            end = sandbox.run(
                tuple(asked["argv"]),
                env=dict(asked["env"]),
                timeout_seconds=float(asked["timeout"]),
                output=output,
                interruption=interruption,
                memory_bytes=self._limit(asked.get("memory")),
                directory=Path(asked["directory"]) if asked.get("directory") else None,
            )
        except OSError as error:
            send(peer, Kind.FAULT, {"errno": error.errno, "message": error.strerror or str(error)})
            return
        told = {
            "code": end.code,
            "timedOut": end.timed_out,
            "outOfMemory": end.out_of_memory,
            "interrupted": end.interrupted,
        }
        with sending:  # a reader that outlives its command may still send
            send(peer, Kind.END, told)

    def _limit(self, asked: int | None) -> int | None:
        known = [limit for limit in (asked, self.memory_bytes) if limit]
        return min(known, default=None)


def container_memory() -> int | None:
    """What tests may take of this container's memory; None where it has no limit."""
    for file in _LIMITS:
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _UNLIMITED:
            return max(HEADROOM_BYTES, int(text) - HEADROOM_BYTES)
    return None


def serve(path: Path, environment: TestEnvironment) -> int:
    """Serve until a signal. Returns the exit status."""
    limit = container_memory()  # a container of tests has one; without it the accounts may be the machine's
    server = HandServer(path, environment, limit, container_account() if limit else None)
    server.listen()

    def stop(*_: object) -> None:
        """As process 1 of its container it must ask for the signal. The agent is gone by then, or about to go."""
        os._exit(0)

    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, stop)
    _log.info("the hand is ready at %s", path)
    server.serve()
    return 0


def _listen_for_stop(peer: socket.socket, interruption: Interruption) -> None:
    """An agent that says stop, or goes away, has its command ended."""
    with suppress(BrokenWireError):
        while receive(peer)[0] is not Kind.STOP:
            pass
    interruption.raise_flag(Cause.STOPPING)
