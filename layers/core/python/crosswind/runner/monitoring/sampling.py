"""Takes the probes of a phase at their intervals, side by side, and hands their samples over in one queue.

Each probe has a thread of its own, so none waits for another; and one that hangs beyond its time limit, where nobody can
interrupt it, is told of as unknown at every interval. Otherwise a guard that hangs would be a guard that never trips.
"""

import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from crosswind.contracts.chaos.monitoring import Sample
from crosswind.contracts.chaos.probes import Phase, Probe
from crosswind.contracts.suites import duration_seconds
from crosswind.runner.monitoring.measuring import Prober

OVERDUE_SECONDS = 1.0  # beyond a probe's own time limit
_ONCE = float("inf")  # a suite runs once in a phase


@dataclass(frozen=True, slots=True)
class Watched:
    """A probe under the name that its samples bear: its own, or its guard's."""

    name: str
    guard: bool
    probe: Probe

    @property
    def interval(self) -> float:
        return _ONCE if self.probe.type == "suite" else float(duration_seconds(self.probe.interval))

    @property
    def patience(self) -> float:
        """How long a sample may take."""
        return duration_seconds(self.probe.timeout) + OVERDUE_SECONDS


@dataclass(slots=True)
class _Turn:
    due: float
    busy: bool = False
    overdue: float = 0.0  # while it is busy: when it is next told of as unknown


class Sampler:
    """A probe is taken again when its interval is over, never twice at once."""

    def __init__(self, prober: Prober, watched: Sequence[Watched]) -> None:
        self._prober = prober
        self._watched = watched
        self._pool = ThreadPoolExecutor(max(1, len(watched)), thread_name_prefix="probe")
        self._done: queue.SimpleQueue[tuple[Watched, Sample]] = queue.SimpleQueue()
        self._hanging: list[Sample] = []
        self._turns: dict[str, _Turn] = {}
        self._place: tuple[Phase, int] | None = None

    def enter(self, phase: Phase, step: int) -> None:
        """From now on samples are of this phase: every probe of it is due at once."""
        if self._place != (phase, step):
            self._place = (phase, step)
            for turn in self._turns.values():
                turn.due = 0.0

    def take_due(self) -> None:
        """Start what is due, and tell of what hangs."""
        if self._place is None:
            return
        phase, step = self._place
        now = time.monotonic()
        for watched in self._watched:
            turn = self._turns.setdefault(_key(watched), _Turn(0.0))
            wanted = phase in watched.probe.phases or (watched.guard and phase is Phase.DURING)
            if wanted and turn.busy and now >= turn.overdue:
                turn.overdue = now + watched.interval
                self._hanging.append(
                    self._prober.overdue(
                        watched.probe, name=watched.name, guard=watched.guard, phase=phase, step=step
                    )
                )
            if not wanted or turn.busy or now < turn.due:
                continue
            turn.busy, turn.due, turn.overdue = True, now + watched.interval, now + watched.patience
            self._pool.submit(self._take, watched, phase, step)

    def samples(self) -> Iterator[Sample]:
        """What has come in since."""
        hanging, self._hanging = self._hanging, []
        yield from hanging
        while True:
            try:
                watched, sample = self._done.get_nowait()
            except queue.Empty:
                return
            self._turns[_key(watched)].busy = False
            yield sample

    def close(self) -> None:
        """Wait for nobody: a probe that hangs ends with its own time limit."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, watched: Watched, phase: Phase, step: int) -> None:
        sample = self._prober.sample(
            watched.probe, name=watched.name, guard=watched.guard, phase=phase, step=step
        )
        self._done.put((watched, sample))


def _key(watched: Watched) -> str:
    return f"{'guard' if watched.guard else 'probe'}/{watched.name}"
