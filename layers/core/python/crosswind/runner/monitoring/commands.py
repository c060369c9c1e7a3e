"""Command probes: a program on the runner, without its credentials, ended with all that it started when its time is up."""

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crosswind.contracts.chaos.probes import CommandProbe
from crosswind.contracts.suites import duration_seconds
from crosswind.runner.environment import TestEnvironment
from crosswind.runner.faults import InfrastructureFaultError, Interruption
from crosswind.runner.monitoring.measuring import Measured, UnmeasurableError
from crosswind.runner.sandbox import Elsewhere, Place

MAX_OUTPUT_BYTES = 64 * 1024


@dataclass(frozen=True)
class CommandProbes:
    """Runs commands in a folder of their own, in the environment that tests have."""

    environment: TestEnvironment
    folder: Path
    test_uid: int | None = None
    hand: Elsewhere | None = None

    def take(self, probe: CommandProbe) -> Measured:
        """The exit status, or what it printed to standard output."""
        return self._take_elsewhere(probe, self.hand) if self.hand else self._take_here(probe)

    def _take_elsewhere(self, probe: CommandProbe, hand: Elsewhere) -> Measured:
        """In the tests' container, which has no credentials."""
        printed = bytearray()
        with tempfile.TemporaryDirectory(dir=self.folder) as root:
            place = Place(Path(root) / "place")
            place.make()
            try:
                end = hand.run(
                    ("sh", "-c", 'exec "$@" 2>/dev/null', "sh", *probe.command),
                    place=place,
                    env={},
                    timeout_seconds=duration_seconds(probe.timeout),
                    grace_seconds=0,
                    output=printed.extend,
                    interruption=Interruption(),
                    memory_bytes=None,
                    directory=None,
                )
            except (OSError, InfrastructureFaultError) as error:
                raise UnmeasurableError(f"{probe.command[0]!r} cannot be started: {error}") from error
        if end.code is None:
            raise UnmeasurableError(f"it did not end within {probe.timeout}")
        if probe.compare == "exit-code":
            return Measured(end.code, well=end.code == 0, detail=f"exit status {end.code}")
        text = bytes(printed[:MAX_OUTPUT_BYTES]).decode("utf-8", errors="replace").strip()
        return Measured(text, well=end.code == 0, detail=f"exit status {end.code}")

    def _take_here(self, probe: CommandProbe) -> Measured:
        with tempfile.TemporaryDirectory(dir=self.folder) as home, tempfile.TemporaryFile() as output:
            if self.test_uid is not None:
                os.chown(home, self.test_uid, -1)
            place = Path(home)
            try:
                process = subprocess.Popen(
                    list(probe.command),
                    cwd=place,
                    env=self.environment.build(home=place, temporary=place, given={}),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    user=self.test_uid,
                )
            except OSError as error:
                raise UnmeasurableError(f"{probe.command[0]!r} cannot be started: {error}") from error
            try:
                status = process.wait(duration_seconds(probe.timeout))
            except subprocess.TimeoutExpired as error:
                raise UnmeasurableError(f"it did not end within {probe.timeout}") from error
            finally:
                _end(process)
            if probe.compare == "exit-code":
                return Measured(status, well=status == 0, detail=f"exit status {status}")
            output.seek(0)
            text = output.read(MAX_OUTPUT_BYTES).decode("utf-8", errors="replace").strip()
            return Measured(text, well=status == 0, detail=f"exit status {status}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group: a child may hold on after its parent."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
