"""Runners that run no tests: they claim, beat, wait as long as a test would, upload one canned report, commit and answer.

    python -m tests.storm.stand_ins SLOTS MEDIAN_SECONDS JOURNAL

One process holds many leases, so that killing it loses many at once. Everything but the tests is the runner's own code.
"""

import json
import random
import sys
import threading
import time
from pathlib import Path

from crosswind.bootstrap import runner as leasing
from crosswind.bootstrap import stores
from crosswind.contracts.work import (
    DispatchMessage,
    WorkKind,
    WorkOutcome,
)
from crosswind.kernel.errors import CrosswindError
from crosswind.runner.faults import Interruption
from crosswind.runner.heartbeat import Heartbeat
from crosswind.runs.model import Progress, Work, WorkKey
from crosswind.settings import RunnerSettings
from tests.storm.canned import leave

_SPREAD = 0.6  # of the lognormal durations


class Journal:
    """Who had what when, as JSON lines; a killed process leaves all its lines."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a", buffering=1, encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, event: str, work: Work) -> None:
        """One line."""
        line = {
            "event": event,
            "at": time.time(),
            "run": work.key.run_id,
            "work": work.key.work_id,
            "epoch": work.epoch,
        }
        with self._lock:
            self._stream.write(json.dumps(line) + "\n")


def seconds_of(work: Work, *, median: float) -> float:
    """How long its tests would take: the same for every attempt."""
    chosen = random.Random(f"{work.key.run_id}{work.key.work_id}")  # noqa: S311  # no secret
    return median * chosen.lognormvariate(0.0, _SPREAD)


def serve(settings: RunnerSettings, *, median: float, journal: Journal) -> None:
    """One slot: work until killed."""
    queue = stores.executor_queue(settings)
    while True:
        try:
            for receipt, message in queue.receive(1, wait_seconds=1):
                work = claim(settings, message)
                queue.delete(receipt)
                if work is not None:
                    carry_out(settings, work, median=median, journal=journal)
        except CrosswindError:
            time.sleep(1.0)


def claim(settings: RunnerSettings, message: DispatchMessage) -> Work | None:
    """The work, when the message is not stale."""
    key = WorkKey(message.run_id, message.work_id)
    return leasing.claim_work(settings)(key, attempt=message.attempt, runner_id=settings.runner_id)


def carry_out(settings: RunnerSettings, work: Work, *, median: float, journal: Journal) -> None:
    """What an agent does with claimed work. A fault leaves it to the watchdog."""
    journal.write("leased", work)
    interruption = Interruption()
    heartbeat = Heartbeat(
        leasing.beat_work(settings), work, progress=Progress, interruption=interruption, tick_seconds=5.0
    )
    heartbeat.start()
    seconds = seconds_of(work, median=median) if work.kind is WorkKind.SHARD else 0.0
    time.sleep(seconds)
    held = heartbeat.stop()
    if interruption.cause is None:
        prefix = leave(settings, work, seconds=seconds)
        leasing.commit_work(settings)(held, outcome=WorkOutcome.COMPLETED, prefix=prefix)
        journal.write("committed", work)


def main() -> None:
    """Serve with so many slots until killed."""
    slots, median, journal = int(sys.argv[1]), float(sys.argv[2]), Journal(Path(sys.argv[3]))
    settings = RunnerSettings.from_env()
    threads = [
        threading.Thread(target=serve, args=(settings,), kwargs={"median": median, "journal": journal})
        for _ in range(slots)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
