"""What one attempt at a piece of work has at hand, while it lasts."""

import shutil
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from crosswind.adapters.frameworks.base import EventTail
from crosswind.runner.archives import ArchiveCache, ArchiveLimits, unpack
from crosswind.runner.faults import Interruption
from crosswind.runner.logs import LogShipper
from crosswind.runner.sandbox import Exit, Sandbox
from crosswind.runs.model import Progress
from crosswind.runs.ports import ObjectStore


@dataclass(slots=True)
class Meter:
    """Counts for people. Read by the heartbeat's thread, written by the attempt's."""

    log: LogShipper
    _tail: EventTail | None = None
    _done: int = 0

    def follow(self, events: Path | None) -> None:
        """Follow a new run of the command; the tests that a retry runs again were counted before."""
        if self._tail is not None:
            self._done = max(self._done, self._tail.done)
        self._tail = EventTail(events) if events else None

    def progress(self) -> Progress:
        """The counts now."""
        tail = self._tail
        if tail is None:
            return Progress(tests_done=self._done, log_bytes=self.log.size)
        tail.poll()
        return Progress(
            tests_done=max(self._done, tail.done), tests_failed=tail.failed, log_bytes=self.log.size
        )


@dataclass(slots=True)
class Attempt:
    """One attempt. Its stores refuse to write once it is interrupted."""

    prefix: str
    sandbox: Sandbox
    log: LogShipper
    meter: Meter
    interruption: Interruption
    artifacts: ObjectStore
    sources: ObjectStore
    cache: ArchiveCache
    limits: ArchiveLimits
    timeout_seconds: float
    _ends_at: float | None = field(default=None, init=False)

    def start_clock(self) -> None:
        """From now on the order's timeout runs; fetching the archive does not count."""
        self._ends_at = time.monotonic() + self.timeout_seconds

    def remaining(self) -> float:
        """Seconds until the timeout."""
        if self._ends_at is None:
            return self.timeout_seconds
        return max(0.0, self._ends_at - time.monotonic())

    def command(self, argv: Iterable[str], *, env: dict[str, str], memory_bytes: int | None = None) -> Exit:
        """Run a command of the suite with its output in the log.

        Raises InterruptedAttemptError. A command that cannot be started ends with 127, as in a shell.
        """
        try:
            end = self.sandbox.run(
                tuple(argv),
                env=env,
                timeout_seconds=self.remaining(),
                output=self.log.write,
                interruption=self.interruption,
                memory_bytes=memory_bytes,
            )
        except (FileNotFoundError, PermissionError) as error:
            self.log.note(f"The command cannot be started: {error}")
            end = Exit(code=127)
        self.interruption.check()
        return end

    def unpack(self, archive: Path) -> None:
        """Fill the working directory and let the tests own it. Raises ArchiveRefusedError."""
        unpack(archive, self.sandbox.place.work, limits=self.limits)
        self.sandbox.give_away()


def remove_tree(folder: Path) -> None:
    """Remove a folder that tests have used: also where they took their own rights away."""

    def unlock(_: object, path: str, __: object) -> None:
        blocked = Path(path)
        for locked in (blocked.parent, blocked):
            if not locked.is_symlink() and locked.is_relative_to(folder) and locked.exists():
                locked.chmod(stat.S_IRWXU)
        if blocked.is_dir() and not blocked.is_symlink():
            shutil.rmtree(blocked, ignore_errors=True)
        else:
            blocked.unlink(missing_ok=True)

    if folder.exists():
        shutil.rmtree(folder, onerror=unlock)
