"""An attempt's events: what the framework's progress lines and the attempt's own steps tell, as lines for people who watch."""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from crosswind.contracts.live import EventType, LiveEvent
from crosswind.kernel.clock import Clock, to_iso
from crosswind.runner.logs import mask_text
from crosswind.runner.spool import Spool

MAX_EVENTS_BYTES = 32 * 1024 * 1024
_LONGEST_ID = 500
_LONGEST_OUTCOME = 20
_LONGEST_MESSAGE = 1000
_BAD = frozenset({"failed", "error"})


def events_cut(*, at: str) -> bytes:
    """The last line of events that reached their limit."""
    return b"\n" + _line(LiveEvent(type=EventType.CUT, at=at, step="", log_offset=0))


class EventLog:
    """Writes events into its spool. The tests own the progress lines: what they say is bounded, masked, and only news."""

    def __init__(
        self,
        spool: Spool,
        *,
        clock: Clock,
        log_size: Callable[[], int],
        secrets: Iterable[str] = (),
        hurry: Callable[[], None] = lambda: None,
    ) -> None:
        """`hurry` is called for each failure."""
        self.spool = spool
        self._clock = clock
        self._log_size = log_size
        self._secrets = tuple(secrets)
        self._hurry = hurry
        self._lock = Lock()
        self._step = "begin"

    def step(self, name: str) -> None:
        """A part of the attempt begins."""
        self._step = name
        self._write(EventType.STEP)

    def tell(self, line: Mapping[str, object]) -> None:
        """A progress line of the framework; one that is not known is passed over."""
        test = self._text(line.get("id"), longest=_LONGEST_ID)
        if line.get("event") == "start":
            self._write(EventType.START, test=test)
        elif line.get("event") == "finish":
            seconds = line.get("seconds")
            outcome = self._text(line.get("outcome"), longest=_LONGEST_OUTCOME)
            message = line.get("message")
            self._write(
                EventType.FINISH,
                test=test,
                outcome=outcome,
                seconds=round(float(seconds), 3) if isinstance(seconds, int | float) else None,
                message=self._text(message, longest=_LONGEST_MESSAGE) if message else None,
            )
            if outcome in _BAD:
                self._hurry()

    def _write(self, kind: EventType, **fields: object) -> None:
        event = LiveEvent(
            type=kind,
            at=to_iso(self._clock.now()),
            step=self._step,
            log_offset=self._log_size(),
            **fields,
        )
        with self._lock:
            self.spool.append(_line(event))

    def _text(self, value: object, *, longest: int) -> str:
        return mask_text(str(value), self._secrets)[-longest:]


def _line(event: LiveEvent) -> bytes:
    return event.to_wire().encode(errors="replace") + b"\n"
