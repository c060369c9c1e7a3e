"""What a test framework must be able to tell a runner.

An adapter starts nothing itself. It says which command to start (a `Launch`), and reads afterwards what the framework
left in a private folder; the runner's sandbox starts the command, so that every framework has the same limits.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from crosswind.adapters.unlinked import open_unlinked

MAX_EVENT_BYTES = 64 * 1024 * 1024  # of progress lines: a hostile test may write without end
MAX_DISCOVERY_BYTES = 64 * 1024 * 1024
MAX_ERROR_CHARACTERS = 4000  # of one collection error
PULL_VARIABLE = "CROSSWIND_PULL"  # names the folder of the channel to a process that pulls
_POLL_BYTES = 1024 * 1024


class Progress(Protocol):
    """News of tests while a command runs."""

    @property
    def done(self) -> int:
        """Tests that ended so far."""
        ...

    @property
    def failed(self) -> int:
        """Of these, the failed ones."""
        ...

    def poll(self) -> list[dict[str, object]]:
        """What is new since the last call."""
        ...


class OutputProgress(Progress, Protocol):
    """News that is read from what the command prints."""

    def feed(self, data: bytes) -> None:
        """Output as it comes."""
        ...


@dataclass(frozen=True, slots=True)
class Invocation:
    """How a test job's author wants the framework called."""

    command: str | None
    args: tuple[str, ...]
    env: Mapping[str, str]
    work: Path = Path()  # the working directory


@dataclass(frozen=True, slots=True)
class Launch:
    """A command to start in the working directory, and where it will leave its traces."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    reports: tuple[
        Path, ...
    ] = ()  # JUnit XML in the private folder, beside those that the order's globs name
    events: Path | None = None  # progress: one JSON object a line
    progress: OutputProgress | None = None  # or progress from the command's own output


@dataclass(frozen=True, slots=True)
class Collected:
    """What a discovery found. `test_ids` is None where the framework cannot list its tests."""

    test_ids: tuple[str, ...] | None
    errors: tuple[str, ...] = ()


class FrameworkAdapter(Protocol):
    """One framework. `folder` is a fresh private folder that the tests may write to."""

    def discovery(self, invocation: Invocation, *, folder: Path) -> Launch | None:
        """The command that lists the tests; None where the framework cannot."""
        ...

    def collected(self, folder: Path, *, work: Path, end: int | None) -> Collected | None:
        """What the discovery left; None when it left nothing to go by. `end` is its exit status, None where it was killed."""
        ...

    def run(
        self,
        invocation: Invocation,
        *,
        folder: Path,
        selection: Sequence[str] | None,
        shard_index: int,
        shard_count: int,
    ) -> Launch:
        """The command that runs the selected tests, or all where `selection` is None."""
        ...

    def pull(
        self,
        invocation: Invocation,
        *,
        folder: Path,
        channel: Path,
        tests: Sequence[str],
        shard_index: int,
        shard_count: int,
    ) -> Launch | None:
        """The command that runs what it is handed out through `channel` (docs/pull-protocol.md), from all of `tests`.

        None where the framework knows no tests: the planner gives such a job no list to pull from.
        """
        ...

    def again(self, folder: Path, *, selection: Sequence[str] | None, work: Path) -> tuple[str, ...] | None:
        """What a retry after a failed attempt has to run. None: everything that the attempt was to run.

        Nothing where the attempt never came to its tests, or could not collect some: that is the same the next time.
        """
        ...

    def remarks(self, folder: Path) -> tuple[str, ...]:
        """Sentences for the log about what the attempt left, such as selected tests that do not exist."""
        ...


def shell(command: str, args: Sequence[str]) -> tuple[str, ...]:
    """Run an author's command line in `sh`, with further arguments that the shell does not read."""
    return ("sh", "-c", f'{command} "$@"' if args else command, "sh", *args)


@dataclass(slots=True)
class EventTail:
    """Follows the progress lines of a running command. What is not a known event is passed over."""

    path: Path
    done: int = 0
    failed: int = 0
    _offset: int = 0

    def poll(self) -> list[dict[str, object]]:
        """Read what was added since the last call, at most 1 MiB of whole lines."""
        data = read_left(self.path, limit=_POLL_BYTES, offset=self._offset) or b""
        whole = data.rfind(b"\n") + 1
        if whole == 0 and len(data) == _POLL_BYTES:
            whole = _POLL_BYTES  # no event is so long: pass over it
        self._offset += whole
        if self._offset > MAX_EVENT_BYTES:
            return []
        events = _events(data[:whole])
        for event in events:
            if event.get("event") == "finish":
                self.done += 1
                self.failed += str(event.get("outcome")) in {"failed", "error"}
        return events


@dataclass(frozen=True, slots=True)
class Ended:
    """What the progress lines tell of a test that came to an end."""

    outcome: str
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """How far a process came: what stays known of tests when it dies before it can report them."""

    begun: frozenset[str] = frozenset()
    ended: Mapping[str, Ended] = field(default_factory=dict)
    uncollected: bool = False  # something could not be collected


def trace(path: Path | None) -> Trace:
    """The trace that progress lines leave. Empty when there are none that can be read."""
    data = read_left(path, limit=MAX_EVENT_BYTES) if path else None
    begun: set[str] = set()
    ended: dict[str, Ended] = {}
    uncollected = False
    for event in _events(data or b""):
        test_id = str(event.get("id"))
        if event.get("event") == "uncollected":
            uncollected = True
        elif event.get("event") == "start":
            begun.add(test_id)
        elif event.get("event") == "finish":
            seconds = event.get("seconds")
            ended[test_id] = Ended(
                outcome=str(event.get("outcome")),
                seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
                message=str(event.get("message", "")),
            )
    return Trace(begun=frozenset(begun), ended=ended, uncollected=uncollected)


def read_left(path: Path, *, limit: int, offset: int = 0) -> bytes | None:
    """At most `limit` bytes of a regular file to which no link leads; None for anything else.

    Tests own the folder: a pipe in a file's place would hold the reader up for ever, a device would never end, and a
    link could lead to what only the runner can read.
    """
    try:
        with open_unlinked(path) as stream:
            stream.seek(offset)
            return stream.read(limit)
    except OSError:
        return None


def _events(data: bytes) -> list[dict[str, object]]:
    events = []
    for line in data.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return events
