"""Starts a command that is not trusted, watches it, and leaves nothing of it behind.

The command gets a session, a home, a temporary folder and an environment of its own, no open file of the runner and
nothing to read from. It loses its whole process tree at its end, at its timeout, when it takes more memory than it may,
and when the attempt is interrupted. Where the runner is root and an operator names another user, the command runs as
that user. Without that, a process of the same user can do what the user can: the environment hides the runner's
credentials, it is no wall.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Protocol

from crosswind.runner.environment import TestEnvironment
from crosswind.runner.faults import Interruption
from crosswind.runner.processes import ProcessTree
from crosswind.runner.sampling import Account, Sampled, Sampler, TreeAccount

GRACE_SECONDS = 5.0
_WATCH_SECONDS = 0.25
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended. `code` is None when it was killed from here; a signal of its own counts as 128 + number."""

    code: int | None
    timed_out: bool = False
    out_of_memory: bool = False
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of one attempt."""

    root: Path

    @property
    def work(self) -> Path:
        """The working directory: the extracted archive."""
        return self.root / "work"

    @property
    def home(self) -> Path:
        """HOME."""
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR."""
        return self.root / "tmp"

    @property
    def private(self) -> Path:
        """What framework adapters exchange with their plugins."""
        return self.root / "private"

    def make(self) -> None:
        """Make all four, empty."""
        self.root.mkdir(parents=True, mode=0o711)
        for folder in (self.work, self.home, self.temporary, self.private):
            folder.mkdir(mode=0o700)


class Elsewhere(Protocol):
    """Runs commands in another container that shares the place (crosswind.runner.hand)."""

    def run(
        self,
        argv: Sequence[str],
        *,
        place: Place,
        env: Mapping[str, str],
        timeout_seconds: float,
        grace_seconds: float,
        output: Callable[[bytes], None],
        interruption: Interruption,
        memory_bytes: int | None,
        directory: Path | None,
        sampled: Sampled | None = None,
    ) -> Exit:
        """As `Sandbox.run`."""
        ...


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Runs commands in a place. `test_uid` is the user to run them as; only root can. With a hand they run where it is."""

    environment: TestEnvironment
    place: Place
    test_uid: int | None = None
    grace_seconds: float = GRACE_SECONDS
    hand: Elsewhere | None = None
    sampled: Sampled | None = None  # gets what commands use, about once a second
    account: Account | None = None  # of the container that is the tests' own; None: processes are looked at

    def give_away(self) -> None:
        """Let the tests' user own the place's folders, where there is such a user."""
        if self.test_uid is None:
            return
        for top in (self.place.work, self.place.home, self.place.temporary, self.place.private):
            _own(top, self.test_uid)

    def give_away_private(self) -> None:
        """The same for what was added to the private folder since."""
        if self.test_uid is not None:
            _own(self.place.private, self.test_uid)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_seconds: float,
        output: Callable[[bytes], None],
        interruption: Interruption,
        memory_bytes: int | None = None,
        directory: Path | None = None,
    ) -> Exit:
        """Run to the end, whichever comes first, in the working directory or another one.

        `output` gets stdout and stderr together, from another thread.

        Raises FileNotFoundError or PermissionError when the command cannot be started.
        """
        if self.hand is not None:
            return self.hand.run(
                argv,
                place=self.place,
                env=env,
                timeout_seconds=timeout_seconds,
                grace_seconds=self.grace_seconds,
                output=output,
                interruption=interruption,
                memory_bytes=memory_bytes,
                directory=directory,
                sampled=self.sampled,
            )
        tree = ProcessTree(marker=self.environment.marker)
        with subprocess.Popen(
            argv,
            cwd=directory or self.place.work,
            env=self.environment.build(home=self.place.home, temporary=self.place.temporary, given=env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
            umask=0o022,
            user=self.test_uid,
            group=self.test_uid,
            extra_groups=None if self.test_uid is None else [],
            bufsize=0,
        ) as process:
            tree.started(process)
            # The reader has a descriptor of its own: one that is closed under it could be another file's by then.
            source = os.dup(process.stdout.fileno()) if process.stdout else os.open(os.devnull, os.O_RDONLY)
            reader = Thread(target=_pump, args=(source, output), daemon=True, name="output")
            reader.start()
            end = Exit(code=None, interrupted=True)
            sampler = self._sampler(tree)
            try:
                end = self._watch(
                    process, tree, time.monotonic() + timeout_seconds, memory_bytes, interruption, sampler
                )
            finally:
                if sampler is not None and self.account is not None:  # it knows of ended processes too
                    sampler.look(time.monotonic(), last=True)
                tree.end(grace_seconds=0 if end.out_of_memory else self.grace_seconds)
                reader.join(self.grace_seconds)
        return end

    def _sampler(self, tree: ProcessTree) -> Sampler | None:
        if self.sampled is None:
            return None
        sampler = Sampler(self.account or TreeAccount(tree.usage), self.sampled)
        sampler.begin(time.monotonic())
        return sampler

    def _watch(
        self,
        process: "subprocess.Popen[bytes]",
        tree: ProcessTree,
        deadline: float,
        memory_bytes: int | None,
        interruption: Interruption,
        sampler: Sampler | None,
    ) -> Exit:
        while True:
            try:
                code = process.wait(timeout=max(0.0, min(_WATCH_SECONDS, deadline - time.monotonic())))
            except subprocess.TimeoutExpired:
                if interruption.is_set():
                    return Exit(code=None, interrupted=True)
                if time.monotonic() >= deadline:
                    return Exit(code=None, timed_out=True)
                if sampler is not None:
                    sampler.look(time.monotonic())
                if memory_bytes is not None and tree.memory_bytes() > memory_bytes:
                    return Exit(code=None, out_of_memory=True)
            else:
                return Exit(code=code if code >= 0 else 128 - code)


def _own(top: Path, uid: int) -> None:
    for folder, folders, files in os.walk(top):
        for name in (".", *folders, *files):
            os.chown(Path(folder, name), uid, uid, follow_symlinks=False)


def _pump(descriptor: int, output: Callable[[bytes], None]) -> None:
    """Pass on what comes until the last writer has ended."""
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while data := stream.read(_READ_BYTES):
            output(data)
