"""What a load tool must be able to tell a runner, beside what every framework tells.

The runner makes a pipe, and the tool writes its samples into it while it runs; a `SampleReader` turns each line into samples
of a Recorder. So no worker ever keeps what was measured, and a hundred thousand requests take as much memory as a hundred.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from crosswind.adapters.frameworks.base import Collected, FrameworkAdapter, Invocation, Launch, shell
from crosswind.runs.load.recording import Recorder


class SampleReader(Protocol):
    """Reads what a tool writes while it runs."""

    def feed(self, line: bytes) -> None:
        """A line. One that cannot be read counts as such in the recorder."""
        ...


@runtime_checkable
class LoadAdapter(FrameworkAdapter, Protocol):
    """One load tool."""

    @property
    def tool(self) -> str:
        """Its name."""
        ...

    def check(self, invocation: Invocation, *, folder: Path) -> Launch:
        """The command that finds out whether the load can be sent at all, and what the script asks for."""
        ...

    def thresholds(self, folder: Path) -> Mapping[str, Sequence[str]]:
        """The script's own, as the check left them."""
        ...

    def load(
        self,
        invocation: Invocation,
        *,
        samples: Path,
        worker: int,
        workers: int,
        split: Sequence[str],
    ) -> Launch:
        """The command that sends a worker's part of the load. It judges nothing itself."""
        ...

    def reader(self, recorder: Recorder, *, thresholds: Sequence[str]) -> SampleReader:
        """Reads its samples; `thresholds` are the metrics that are asked for."""
        ...


class LoadTool:
    """What load tools have in common: they list no tests, run no selection and are not tried again."""

    def discovery(self, invocation: Invocation, *, folder: Path) -> Launch | None:  # noqa: ARG002  # the port's words
        """There is none."""
        return None

    def collected(self, folder: Path, *, work: Path, end: int | None) -> Collected | None:  # noqa: ARG002
        """Nothing is known before the load is sent."""
        return Collected(test_ids=None)

    def run(
        self,
        invocation: Invocation,  # noqa: ARG002  # the port's words
        *,
        folder: Path,  # noqa: ARG002
        selection: Sequence[str] | None,  # noqa: ARG002
        shard_index: int,  # noqa: ARG002
        shard_count: int,  # noqa: ARG002
    ) -> Launch:
        """It runs as a load only: outside of one nothing would count its samples."""
        raise ValueError("a load tool needs an order with `load`")

    def pull(
        self,
        invocation: Invocation,  # noqa: ARG002  # the port's words
        *,
        folder: Path,  # noqa: ARG002
        channel: Path,  # noqa: ARG002
        tests: Sequence[str],  # noqa: ARG002
        shard_index: int,  # noqa: ARG002
        shard_count: int,  # noqa: ARG002
    ) -> Launch | None:
        """It cannot."""
        return None

    def again(
        self,
        folder: Path,  # noqa: ARG002  # the port's words
        *,
        selection: Sequence[str] | None,  # noqa: ARG002
        work: Path,  # noqa: ARG002
    ) -> tuple[str, ...] | None:
        """Nothing: a load that is sent again is another load."""
        return ()

    def remarks(self, folder: Path) -> tuple[str, ...]:  # noqa: ARG002  # the port's words
        """None."""
        return ()


def called(command: str | None, default: str, args: Sequence[str]) -> tuple[str, ...]:
    """The tool with arguments: by its own name, or as the author's command line starts it."""
    return (default, *args) if command is None else shell(command, args)
