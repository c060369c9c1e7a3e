"""The pipe through which a load tool tells its samples while it runs. Nothing of it is kept."""

import fcntl
import os
import select
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

_READ_BYTES = 1024 * 1024
_LONGEST_LINE = 1024 * 1024
_LOOK_MILLISECONDS = 100


class SamplePipe:
    """A named pipe and the thread that reads it. Opened for writing here, too: so it never ends before `close`."""

    def __init__(self, path: Path, feed: Callable[[bytes], None]) -> None:
        os.mkfifo(path, 0o600)
        self._feed = feed
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, _READ_BYTES)
        self._done = Event()
        self._thread = Thread(target=self._run, daemon=True, name="samples")
        self._thread.start()

    def close(self) -> None:
        """Read what is left, and end. Nobody writes any more."""
        self._done.set()
        self._thread.join()
        os.close(self._descriptor)

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        left = b""
        while True:
            if not poller.poll(_LOOK_MILLISECONDS):
                if self._done.is_set():
                    break
                continue
            *lines, left = (left + os.read(self._descriptor, _READ_BYTES)).split(b"\n")
            for line in lines:
                self._feed(line)
            if len(left) > _LONGEST_LINE:
                self._feed(left)
                left = b""
        if left:
            self._feed(left)
