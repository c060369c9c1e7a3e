"""What live streaming needs from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from crosswind.contracts.actors import Actor
from crosswind.contracts.live import Piece
from crosswind.runs.live.model import Mark, Subscription, Way


class WatchStore(Protocol):
    """Who watches which run. Everything in it ends by itself; losing it costs a watcher some seconds."""

    def mark(self, run_id: str, target: str, ways: Sequence[tuple[Way, datetime]], *, now: datetime) -> None:
        """Someone watches the target until then, by each of the ways."""
        ...

    def read(self, run_id: str) -> Mark:
        """Who watches a run; what was written a moment ago may be missing."""
        ...


class ConnectionStore(Protocol):
    """Connections of the socket and what they want to be told."""

    def open(self, connection: str, actor: Actor, *, expires_at: datetime) -> None:
        """A connection of this actor."""
        ...

    def actor(self, connection: str) -> Actor | None:
        """Whose connection it is; None when it is not open."""
        ...

    def subscribe(self, subscription: Subscription) -> None:
        """Put or renew what a connection wants of a run. Where it is behind stays known."""
        ...

    def unsubscribe(self, connection: str, run_id: str) -> None:
        """It wants nothing of a run any more."""
        ...

    def close(self, connection: str) -> None:
        """Forget a connection with its subscriptions."""
        ...

    def subscriptions(self, run_id: str, *, now: datetime) -> tuple[Subscription, ...]:
        """Who wants to be told of a run."""
        ...

    def fall_behind(self, subscription: Subscription, stream: str, offset: int) -> None:
        """The connection could not take the stream from this offset on. An earlier offset stays."""
        ...

    def catch_up(self, subscription: Subscription, streams: Sequence[str]) -> None:
        """The connection was told from where it is behind in these."""
        ...


class Sockets(Protocol):
    """Sends messages to connections."""

    def send(self, connection: str, text: str) -> None:
        """Send one message. Raises NotFoundError when it is closed, ThrottledError when it is too slow to take more."""
        ...


class LiveQueue(Protocol):
    """Carries pieces from runners to the fan-out."""

    def push(self, pieces: Sequence[Piece]) -> None:
        """Send pieces. Raises RetryableError."""
        ...
