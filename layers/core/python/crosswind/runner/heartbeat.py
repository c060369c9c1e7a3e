"""Keeps a lease alive, tells of progress, and learns that the work is no longer ours."""

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

from crosswind.kernel.errors import LeaseLostError
from crosswind.runner.faults import Cause, Interruption
from crosswind.runs.model import HEARTBEAT_INTERVAL, Progress, Work

_log = logging.getLogger(__name__)
_LONGEST_PAUSE = 5.0


class Heartbeat:
    """A thread that beats every 10 s, and between these when there is progress to tell.

    A lost connection does not end the attempt: beats are tried again until one is answered. Whoever took the work in
    between answers with LeaseLostError, and a lease that ran out without a taker is simply prolonged.
    """

    def __init__(
        self,
        beat: Callable[[Work, Progress], Work],
        work: Work,
        *,
        progress: Callable[[], Progress],
        interruption: Interruption,
        tick_seconds: float,
        interval_seconds: float = HEARTBEAT_INTERVAL.total_seconds(),
    ) -> None:
        self._beat = beat
        self._work = work
        self._progress = progress
        self._interruption = interruption
        self._interval = interval_seconds
        self._tick = min(tick_seconds, interval_seconds)
        self._done = Event()
        self._thread = Thread(target=self._run, daemon=True, name="heartbeat")

    @property
    def work(self) -> Work:
        """The work as the last beat left it."""
        return self._work

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> Work:
        """End, after a beat that may be under way. Returns the work as it is."""
        self._done.set()
        self._thread.join()
        return self._work

    def _run(self) -> None:
        told = Progress()
        last = time.monotonic()
        pause = self._tick
        while not self._done.wait(pause):
            pause = self._tick
            try:
                progress = self._progress()
                if progress == told and time.monotonic() - last < self._interval:
                    continue
                self._work = self._beat(self._work, progress)
                told, last = progress, time.monotonic()
            except LeaseLostError:
                self._interruption.raise_flag(Cause.LEASE_LOST)
                return
            except Exception as error:  # noqa: BLE001  # a beat that fails for any reason may succeed the next time
                pause = min(_LONGEST_PAUSE, max(1.0, self._tick))
                _log.warning("a heartbeat failed and is tried again: %s", error)
