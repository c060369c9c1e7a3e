"""Who watches what, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from crosswind.contracts.live import Stream

WATCH_LASTS = timedelta(seconds=45)
"""A watcher's mark. Watchers renew it every third of that time."""

CATCH_UP_LASTS = timedelta(seconds=15)
"""How long after a subscription the store gets everything at once, so that REST has what came before the first piece."""

SUBSCRIPTION_LASTS = timedelta(seconds=120)
CONNECTION_LASTS = timedelta(hours=2, minutes=10)  # API Gateway ends one after two hours

RUN_EVENTS = "events"
"""The target of those who follow all events of a run and no log."""

RUN_LOGS = "logs"
"""The target of those who follow everything of a run. Any other target is a work id."""


class Way(StrEnum):
    """How a watcher gets what is new."""

    POLLED = "polled"  # it reads the store
    PUSHED = "pushed"  # it holds a socket


def target_of(work_id: str | None, *, log: bool) -> str:
    """What a watcher watches."""
    return work_id or (RUN_LOGS if log else RUN_EVENTS)


@dataclass(frozen=True, slots=True)
class Mark:
    """Until when which targets of a run are watched, by way."""

    until: Mapping[tuple[Way, str], datetime] = field(default_factory=dict)

    def demand(self, work_id: str, *, now: datetime) -> "Demand":
        """What a shard's watchers want of its runner."""
        living = frozenset(place for place, end in self.until.items() if end > now)
        everything = (RUN_LOGS, work_id)
        return Demand(
            log=_ways(living, everything),
            events=_ways(living, (*everything, RUN_EVENTS)),
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """By which ways each stream of a shard is watched. Nothing: nobody watches."""

    log: frozenset[Way] = frozenset()
    events: frozenset[Way] = frozenset()

    def of(self, stream: Stream) -> frozenset[Way]:
        """The ways of one stream."""
        return self.log if stream is Stream.LOG else self.events


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a connection wants to be told of a run."""

    run_id: str
    connection: str
    work_id: str | None
    log: bool
    from_offset: int
    expires_at: datetime
    behind: Mapping[str, int] = field(default_factory=dict)
    """Where a stream begins that the connection was too slow for, by its `stream_name`."""

    def wants(self, work_id: str, stream: Stream) -> bool:
        """Whether it is about this stream of a shard."""
        return self.work_id in {None, work_id} and (self.log or stream is Stream.EVENTS)


def stream_name(work_id: str, attempt: str, stream: Stream) -> str:
    """A stream of an attempt within its run."""
    return f"{work_id}/{attempt}/{stream.value}"


def _ways(living: frozenset[tuple[Way, str]], targets: tuple[str, ...]) -> frozenset[Way]:
    return frozenset(way for way, target in living if target in targets)
