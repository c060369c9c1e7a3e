"""Ships an attempt's streams while it lasts: soon where someone watches, seldom where nobody does."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread

from crosswind.contracts.live import Piece, Stream
from crosswind.kernel.errors import CrosswindError
from crosswind.runner.faults import InterruptedAttemptError
from crosswind.runner.spool import Spool
from crosswind.runs.live.model import Demand, Way
from crosswind.runs.live.ports import LiveQueue
from crosswind.runs.live.shipping import URGENT_PAUSE, Pace, Shipment, due
from crosswind.runs.model import Work

_log = logging.getLogger(__name__)
_LONGEST_TICK = 0.5


class Shipper:
    """A thread that asks every tick what is due. It reads who watches twice as seldom as it ships to watchers."""

    def __init__(
        self,
        work: Work,
        *,
        attempt: str,
        spools: Sequence[Spool],
        pace: Pace,
        demand: Callable[[], Demand],
        queue: LiveQueue,
        poll: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`poll` brings the streams up to date; it is called every tick."""
        self._work = work
        self._attempt = attempt
        self._spools = spools
        self._pace = pace
        self._read_demand = demand
        self._queue = queue
        self._poll = poll
        self._clock = clock
        self._demand = Demand()
        self._asked_at: float | None = None
        self._urgent = False
        self._hurried_at: float | None = None
        self._turn = Lock()
        self._wake = Event()
        self._closing = False
        self._thread = Thread(target=self._run, daemon=True, name="ship")

    def start(self) -> None:
        """Begin to ship."""
        self._thread.start()

    def wake(self) -> None:
        """Ask at once what is due."""
        self._wake.set()

    def hurry(self) -> None:
        """Something bad has happened: ship the events now, unless the last hurry was a moment ago."""
        now = self._clock()
        if self._hurried_at is None or now - self._hurried_at >= URGENT_PAUSE:
            self._hurried_at = now
            self._urgent = True
            self._wake.set()

    def turn(self) -> None:
        """Ship what is due. Raises InterruptedAttemptError; what else goes wrong is tried again the next time."""
        with self._turn:
            self._poll()
            self._ask()
            urgent, self._urgent = self._urgent, False
            for spool in self._spools:
                ways = self._demand.of(spool.stream)
                if Way.PUSHED not in ways:
                    spool.pushed = None
                shipment = due(
                    spool.state(),
                    ways,
                    self._pace.of(spool.stream),
                    urgent=urgent and spool.stream is Stream.EVENTS,
                )
                self._carry_out(spool, shipment)

    def finish(self) -> None:
        """Upload the rest, and tell watchers that it is all. Raises what the store raises."""
        with self._turn:
            self._poll()
            for spool in self._spools:
                spool.ship()
                if Way.PUSHED in self._demand.of(spool.stream):
                    start = spool.written if spool.pushed is None else spool.pushed
                    with suppress(CrosswindError):
                        self._push(spool, Shipment(push_from=start), last=True)

    def close(self) -> None:
        """Stop the thread, without a last upload."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _ask(self) -> None:
        now = self._clock()
        if self._asked_at is not None and now - self._asked_at < 2 * self._pace.live_seconds:
            return
        self._asked_at = now
        try:
            self._demand = self._read_demand()
        except CrosswindError as error:
            _log.warning("who watches cannot be read: %s", error)  # as before, then

    def _carry_out(self, spool: Spool, shipment: Shipment) -> None:
        if shipment.store:
            spool.ship()
        if shipment.push_from is not None:
            if spool.pushed is None:
                spool.begin_pushing()
            else:
                self._push(spool, shipment, last=False)

    def _push(self, spool: Spool, shipment: Shipment, *, last: bool) -> None:
        skipped = shipment.skipped_from
        end = shipment.push_from or 0
        pieces: list[Piece] = []
        for offset, data in spool.parts(shipment, last=last):
            end = offset + len(data)
            pieces.append(self._piece(spool, offset, data, skipped=skipped))
            skipped = None
        if last:
            pieces.append(self._piece(spool, end, b"", final=True))
        if pieces:
            self._queue.push(pieces)
        spool.pushed_to(end)

    def _piece(
        self, spool: Spool, offset: int, data: bytes, *, skipped: int | None = None, final: bool = False
    ) -> Piece:
        return Piece(
            run_id=self._work.key.run_id,
            work_id=self._work.key.work_id,
            attempt=self._attempt,
            stream=spool.stream,
            offset=offset,
            next_offset=offset + len(data),
            text=data.decode(errors="replace"),
            skipped_from=skipped,
            final=final,
        )

    def _run(self) -> None:
        tick = min(_LONGEST_TICK, self._pace.live_seconds / 4)
        while not self._closing:
            self._wake.wait(tick)
            self._wake.clear()
            if self._closing:
                return
            try:
                self.turn()
            except InterruptedAttemptError:
                return
            except CrosswindError:
                continue  # the store is away; what is not shipped stays in the file for the next time
            except OSError as error:
                _log.warning("the streams cannot be read: %s", error)
