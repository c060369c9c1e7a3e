"""Keeps N local runners alive and tells the scheduler how many there are.

A process of its own: `python -m crosswind.local.pool DATA_DIRECTORY RUNNERS`, with the runners' settings in its
environment. SIGTERM is passed on, so that every runner hands its work back before the pool ends.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from crosswind.bootstrap import stores
from crosswind.local.credentials import trade_root_for_role
from crosswind.local.home import Home
from crosswind.settings import StoreSettings

SLOTS_PER_RUNNER = 2  # one that runs and one that waits at hand, so that no runner idles between shards
STOP_SECONDS = 20.0
_TICK_SECONDS = 0.2
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_STABLE_SECONDS = 60.0  # a runner that lived this long starts anew without waiting


@dataclass
class Seat:
    """One runner's place: its number, its process, and when it may start again."""

    number: int
    start: Callable[[int], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_not_before: float = 0.0
    backoff: float = field(default=_FIRST_BACKOFF_SECONDS)

    def tend(self, now: float) -> None:
        """Start the runner when it is missing and its time has come; note when one has died."""
        if self.process is not None:
            status = self.process.poll()
            if status is None:
                return
            self._note_end(status, now)
        if now >= self.start_not_before:
            self.process, self.started_at = self.start(self.number), now

    def _note_end(self, status: int, now: float) -> None:
        lived = now - self.started_at
        self.process = None
        self.backoff = (
            _FIRST_BACKOFF_SECONDS
            if lived > _STABLE_SECONDS
            else min(self.backoff * 2, _LONGEST_BACKOFF_SECONDS)
        )
        self.start_not_before = now + self.backoff
        print(
            f"runner {self.number} ended with {status} after {lived:.0f} s; again in {self.backoff:.1f} s",
            flush=True,
        )


@dataclass(frozen=True)
class RunnerStarter:
    """Starts one runner with its own folder and log, in the pool's group: there `down` finds it if the pool was killed."""

    home: Home
    environ: dict[str, str]

    def __call__(self, number: int) -> subprocess.Popen[bytes]:
        folder = self.home.path / "runners" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        environ = {
            **self.environ,
            "CROSSWIND_RUNNER_ID": f"local-{number}-{os.getpid()}",
            "CROSSWIND_WORK_FOLDER": str(folder),
            "CROSSWIND_LIVE_SECONDS": "0.5",
            "CROSSWIND_QUIET_SECONDS": "2",
        }
        with (self.home.logs / f"runner-{number}.log").open("ab") as output:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name("crosswind-runner"))],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
                cwd=folder,
            )


def supervise(seats: list[Seat], *, stopping: Callable[[], bool]) -> None:
    """Tend the runners until told to stop, then let them hand back their work."""
    while not stopping():
        for seat in seats:
            seat.tend(time.monotonic())
        time.sleep(_TICK_SECONDS)
    running = [seat.process for seat in seats if seat.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def main() -> None:
    """Register the slots, then supervise until SIGTERM."""
    home, count = Home(Path(sys.argv[1])), int(sys.argv[2])
    asked: list[int] = []

    def ask(number: int, _: FrameType | None) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    trade_root_for_role(os.environ)
    stores.queue_store(StoreSettings.from_env()).register_slots(count * SLOTS_PER_RUNNER)
    starter = RunnerStarter(home, dict(os.environ))
    supervise([Seat(number, starter) for number in range(1, count + 1)], stopping=lambda: bool(asked))


if __name__ == "__main__":
    main()
