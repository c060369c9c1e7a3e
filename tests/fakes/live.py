"""Who watches, in memory; held to the real stores by tests/contract/test_live_store.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from crosswind.contracts.actors import Actor
from crosswind.contracts.live import Piece
from crosswind.kernel.errors import NotFoundError, ThrottledError
from crosswind.runs.live.model import Mark, Subscription, Way


@dataclass
class MemoryWatchStore:
    """WatchStore."""

    marks: dict[str, dict[tuple[Way, str], datetime]] = field(default_factory=dict)

    def mark(self, run_id: str, target: str, ways: Sequence[tuple[Way, datetime]], *, now: datetime) -> None:
        del now
        self.marks.setdefault(run_id, {}).update({(way, target): end for way, end in ways})

    def read(self, run_id: str) -> Mark:
        return Mark(dict(self.marks.get(run_id, {})))


@dataclass
class MemoryConnectionStore:
    """ConnectionStore."""

    actors: dict[str, Actor] = field(default_factory=dict)
    held: dict[tuple[str, str], Subscription] = field(default_factory=dict)

    def open(self, connection: str, actor: Actor, *, expires_at: datetime) -> None:
        del expires_at
        self.actors[connection] = actor

    def actor(self, connection: str) -> Actor | None:
        return self.actors.get(connection)

    def subscribe(self, subscription: Subscription) -> None:
        place = subscription.run_id, subscription.connection
        before = self.held.get(place)
        self.held[place] = replace(subscription, behind=before.behind if before else {})

    def unsubscribe(self, connection: str, run_id: str) -> None:
        self.held.pop((run_id, connection), None)

    def close(self, connection: str) -> None:
        self.actors.pop(connection, None)
        for place in [place for place in self.held if place[1] == connection]:
            del self.held[place]

    def subscriptions(self, run_id: str, *, now: datetime) -> tuple[Subscription, ...]:
        of_run = [each for (run, _), each in sorted(self.held.items()) if run == run_id]
        return tuple(each for each in of_run if each.expires_at > now)

    def fall_behind(self, subscription: Subscription, stream: str, offset: int) -> None:
        place = subscription.run_id, subscription.connection
        if place in self.held:
            held = self.held[place]
            self.held[place] = replace(held, behind={stream: offset, **held.behind})

    def catch_up(self, subscription: Subscription, streams: Sequence[str]) -> None:
        place = subscription.run_id, subscription.connection
        if place in self.held:
            left = {name: offset for name, offset in self.held[place].behind.items() if name not in streams}
            self.held[place] = replace(self.held[place], behind=left)


@dataclass
class MemorySockets:
    """Sockets: some are closed, some too slow."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)

    def send(self, connection: str, text: str) -> None:
        if connection in self.closed:
            raise NotFoundError("closed")
        if connection in self.slow:
            raise ThrottledError("slow")
        self.sent.append((connection, text))


@dataclass
class MemoryLiveQueue:
    """LiveQueue."""

    pieces: list[Piece] = field(default_factory=list)

    def push(self, pieces: Sequence[Piece]) -> None:
        self.pieces.extend(pieces)
