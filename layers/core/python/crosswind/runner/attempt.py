"""What one attempt at a piece of work has at hand, while it lasts."""

import errno
import logging
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from threading import Lock

from crosswind.adapters.frameworks.base import EventTail, OutputProgress, Progress
from crosswind.runner.archives import ArchiveCache, ArchiveLimits, ArchiveRefusedError, unpack
from crosswind.runner.events import EventLog
from crosswind.runner.faults import Interruption
from crosswind.runner.logs import AttemptLog
from crosswind.runner.sampling import UseRecorder
from crosswind.runner.sandbox import Exit, Sandbox
from crosswind.runner.shipping import Shipper
from crosswind.runs.model import Progress as Counts
from crosswind.runs.ports import ObjectStore

_NOT_STARTED = frozenset({errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.E2BIG})
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Meter:
    """Counts for people, and the news behind them. Any thread may ask."""

    log: AttemptLog
    events: EventLog
    _lock: Lock = field(default_factory=Lock)
    _tail: Progress | None = None
    _done: int = 0
    _earlier: Counts = field(default_factory=Counts)  # of processes before this one that ran other tests

    def follow(
        self, events: Path | None, *, output: OutputProgress | None = None, further: bool = False
    ) -> None:
        """Follow a new run of the command. It runs tests again that were counted before, or `further` ones."""
        with self._lock:
            before = self._read()
            if further:
                self._earlier = before
                self._done = 0
            elif self._tail is not None:
                self._done = max(self._done, self._tail.done)
            self._tail = EventTail(events) if events else output

    def progress(self) -> Counts:
        """The counts now."""
        with self._lock:
            return self._read()

    def _read(self) -> Counts:
        tail = self._tail
        if tail is not None:
            for line in tail.poll():
                self.events.tell(line)
        return Counts(
            tests_done=self._earlier.tests_done + max(self._done, tail.done if tail else 0),
            tests_failed=self._earlier.tests_failed + (tail.failed if tail else 0),
            log_bytes=self.log.size,
        )


@dataclass(slots=True)
class Attempt:
    """One attempt. Its stores refuse to write once it is interrupted."""

    prefix: str
    sandbox: Sandbox
    log: AttemptLog
    events: EventLog
    shipper: Shipper
    meter: Meter
    interruption: Interruption
    artifacts: ObjectStore
    sources: ObjectStore
    cache: ArchiveCache
    limits: ArchiveLimits
    timeout_seconds: float
    working_directory: str = ""  # relative to the source
    use: UseRecorder = field(default_factory=UseRecorder)
    _ends_at: float | None = field(default=None, init=False)

    @property
    def directory(self) -> Path:
        """Where the suite's commands run, resolved. Raises ArchiveRefusedError where it leads out of the source.

        Also where the source's own folder is a link by now: in a pod the tests can replace it.
        """
        work = self.sandbox.place.work
        try:
            directory = (work / self.working_directory).resolve()
        except (OSError, RuntimeError) as error:
            raise ArchiveRefusedError(f"the working directory {self.working_directory!r}: {error}") from error
        if work.resolve() != work or not directory.is_relative_to(work):
            raise ArchiveRefusedError(
                f"the working directory {self.working_directory!r} is a link that leads out of the source"
            )
        return directory

    def start_clock(self) -> None:
        """From now on the order's timeout runs; fetching the archive does not count."""
        self._ends_at = time.monotonic() + self.timeout_seconds

    def remaining(self) -> float:
        """Seconds until the timeout."""
        if self._ends_at is None:
            return self.timeout_seconds
        return max(0.0, self._ends_at - time.monotonic())

    def command(
        self,
        argv: Iterable[str],
        *,
        env: dict[str, str],
        memory_bytes: int | None = None,
        also: Callable[[bytes], object] | None = None,
    ) -> Exit:
        """Run a command of the suite with its output in the log; `also` reads it too.

        Raises InterruptedAttemptError. A command that cannot be started ends with 127, as in a shell.
        """
        try:
            end = self.sandbox.run(
                tuple(argv),
                env=env,
                timeout_seconds=self.remaining(),
                output=_both(self.log.write, also),
                interruption=self.interruption,
                memory_bytes=memory_bytes,
                directory=self.directory,
            )
        except OSError as error:
            if error.errno not in _NOT_STARTED:
                raise
            self.log.note(f"The command cannot be started: {error}")
            end = Exit(code=127)
        self.interruption.check()
        return end

    def finish(self) -> None:
        """Upload what is left of the log and the events. Raises what the store raises, and a fault of the disk."""
        self.log.flush()
        self.shipper.finish()

    def unpack(self, archive: Path) -> None:
        """Fill the working directory and let the tests own it. Raises ArchiveRefusedError."""
        unpack(archive, self.sandbox.place.work, limits=self.limits, check=self.interruption.check)
        self.sandbox.give_away()


def _both(write: Callable[[bytes], None], also: Callable[[bytes], object] | None) -> Callable[[bytes], None]:
    if also is None:
        return write

    def output(data: bytes) -> None:
        write(data)
        also(data)

    return output


def remove_tree(folder: Path) -> None:
    """Remove a folder that tests have used: also where they took rights away or nested folders without end.

    What cannot be removed even so, such as a mount, stays and is logged: no attempt gets the same folder again.
    """
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _remove_level_by_level(folder)
    if folder.exists():
        _log.warning("%s cannot be removed", folder)


def _remove_level_by_level(top: Path) -> None:
    """Bring what lies inside the top's folders up to the top, again and again: no path grows long, nothing recurses."""
    mark = secrets.token_hex(8)
    names = (top / f"{mark}-{number}" for number in count())
    changed = True
    while changed:
        changed = False
        for entry in _entries(top):
            changed |= _take_apart(entry, names)
    with suppress(OSError):
        top.rmdir()


def _take_apart(path: Path, names: Iterator[Path]) -> bool:
    """Remove a file, or a folder after its inner folders got new names elsewhere. Returns whether anything has changed."""
    changed = False
    if path.is_symlink() or not path.is_dir():
        return _done(path.unlink)
    for entry in _entries(path):
        if entry.is_dir() and not entry.is_symlink():
            changed |= _done(partial(entry.chmod, stat.S_IRWXU)) and _done(partial(entry.rename, next(names)))
        else:
            changed |= _done(entry.unlink)
    return _done(path.rmdir) or changed


def _entries(folder: Path) -> list[Path]:
    try:
        folder.chmod(stat.S_IRWXU)
        return list(folder.iterdir())
    except OSError:
        return []


def _done(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True
