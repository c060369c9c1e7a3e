"""Framework `command`: any command line that leaves JUnit XML where the order's `reports` globs find it.

It cannot list its tests and cannot run a part of them, so each shard gets its index and the number of shards in
CROSSWIND_SHARD_INDEX and CROSSWIND_SHARD_COUNT, and a retry runs the whole command again.
"""

from collections.abc import Sequence
from pathlib import Path

from crosswind.adapters.frameworks.base import Collected, Invocation, Launch, shell


class CommandAdapter:
    """Runs `sh -c`."""

    def discovery(self, invocation: Invocation, *, folder: Path) -> Launch | None:  # noqa: ARG002  # the port's words
        """There is none."""
        return None

    def collected(self, folder: Path, *, work: Path, end: int | None) -> Collected | None:  # noqa: ARG002  # the port's words
        """Nothing is known before the run."""
        return Collected(test_ids=None)

    def run(
        self,
        invocation: Invocation,
        *,
        folder: Path,  # noqa: ARG002  # the port's words
        selection: Sequence[str] | None,  # noqa: ARG002  # a command knows no selection
        shard_index: int,
        shard_count: int,
    ) -> Launch:
        """The command in a shell, with its shard in the environment."""
        if invocation.command is None:
            raise ValueError("framework `command` needs a command")
        return Launch(
            argv=shell(invocation.command, invocation.args),
            env={
                "CROSSWIND_SHARD_INDEX": str(shard_index),
                "CROSSWIND_SHARD_COUNT": str(shard_count),
            },
        )

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
        """It cannot: a command knows no tests."""
        return None

    def again(self, folder: Path, *, selection: Sequence[str] | None, work: Path) -> tuple[str, ...] | None:  # noqa: ARG002
        """Everything: a command cannot run a part of itself."""
        return None

    def remarks(self, folder: Path) -> tuple[str, ...]:  # noqa: ARG002  # the port's words
        """None."""
        return ()
