"""Finding and ending everything that a command started, however it tried to get away."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from subprocess import Popen

import psutil

from crosswind.runner.environment import MARKER

_POLL_SECONDS = 0.02
_KILL_SECONDS = 5.0  # how long to look for survivors of SIGKILL before they are left alone


class ProcessTree:
    """The processes of one command: its descendants, and on Linux the orphans that came to the runner since."""

    def __init__(self, *, marker: str) -> None:
        self._marker = marker
        self._before = {(child.pid, child.create_time()) for child in _children()}
        self._main: Popen[bytes] | None = None

    def started(self, main: Popen[bytes]) -> None:
        """Tell which process is the command itself. Its exit status stays with `main`."""
        self._main = main

    def members(self) -> list[psutil.Process]:
        """Every living process of the command. Reaps dead orphans on the way."""
        found: dict[int, psutil.Process] = {}
        for child in _children():
            try:
                if (child.pid, child.create_time()) in self._before:
                    continue
                for process in (child, *child.children(recursive=True)):
                    if not self._is_dead(process):
                        found[process.pid] = process
            except psutil.NoSuchProcess:
                continue
        if sys.platform != "linux":
            found.update((process.pid, process) for process in _marked(self._marker))
        return list(found.values())

    def memory_bytes(self) -> int:
        """Resident memory of all of them. Pages that they share are counted once for each."""
        total = 0
        for process in self.members():
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        return total

    def usage(self) -> tuple[float, int]:
        """CPU seconds of all of them and of the children that they have waited for, and resident memory."""
        cpu, memory = 0.0, 0
        for process in self.members():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
            except psutil.Error:
                continue
            cpu += times.user + times.system + times.children_user + times.children_system
        return cpu, memory

    def end(self, *, grace_seconds: float) -> None:
        """SIGTERM to all, then after the grace SIGKILL until none is left."""
        if grace_seconds > 0:
            _each(self.members(), psutil.Process.terminate)
            deadline = time.monotonic() + grace_seconds
            while self.members() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        deadline = time.monotonic() + _KILL_SECONDS
        while (living := self.members()) and time.monotonic() < deadline:
            _each(living, psutil.Process.kill)
            time.sleep(_POLL_SECONDS)

    def _is_dead(self, process: psutil.Process) -> bool:
        if self._main is not None and process.pid == self._main.pid:
            return self._main.poll() is not None
        if process.status() != psutil.STATUS_ZOMBIE:
            return False
        if process.ppid() == os.getpid():
            with suppress(ChildProcessError):  # someone else has reaped it
                os.waitpid(process.pid, os.WNOHANG)
        return True


def end_leftovers(marker: str) -> int:
    """Kill what an earlier runner of this name left behind when it was killed. Returns how many there were."""
    leftovers = list(_marked(marker))
    _each(leftovers, psutil.Process.kill)
    return len(leftovers)


def _children() -> list[psutil.Process]:
    return psutil.Process().children()


def _marked(marker: str) -> Iterable[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARKER) == marker:
                yield process
        except (psutil.Error, OSError):
            continue  # gone, or not ours to look at


def _each(processes: Iterable[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        try:
            action(process)
        except psutil.Error:
            continue
