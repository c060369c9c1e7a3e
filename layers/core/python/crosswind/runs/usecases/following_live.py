"""Following a run while it goes on: who may, what they are told, and that its runners know."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crosswind.contracts.actors import Actor
from crosswind.contracts.live import (
    Piece,
    Ping,
    Pong,
    Subscribe,
    Subscribed,
    Unsubscribe,
    WatchRequest,
    WatchView,
)
from crosswind.contracts.requests import RunState
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ForbiddenError, NotFoundError, RetryableError
from crosswind.runs.live.fanout import Post, posts
from crosswind.runs.live.model import (
    CATCH_UP_LASTS,
    CONNECTION_LASTS,
    SUBSCRIPTION_LASTS,
    WATCH_LASTS,
    Subscription,
    Way,
    target_of,
)
from crosswind.runs.live.ports import ConnectionStore, Sockets, WatchStore
from crosswind.runs.usecases.reading import FindRun

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WatchRun:
    """Mark a run as watched by somebody who polls. A finished run needs no mark."""

    find: FindRun
    watches: WatchStore
    clock: Clock
    socket: str | None

    def __call__(self, run_id: str, request: WatchRequest, *, actor: Actor) -> WatchView:
        """For how long. Raises NotFoundError, ForbiddenError."""
        run = self.find(run_id, actor=actor)
        now = self.clock.now()
        if run.state is not RunState.FINISHED:
            target = target_of(request.work_id, log=request.log)
            self.watches.mark(run.run_id, target, [(Way.POLLED, now + WATCH_LASTS)], now=now)
        return WatchView(expires_in_seconds=int(WATCH_LASTS.total_seconds()), socket=self.socket)


@dataclass(frozen=True)
class OpenConnection:
    """A signed-in actor opens a socket."""

    connections: ConnectionStore
    clock: Clock

    def __call__(self, connection: str, actor: Actor) -> None:
        """Remember whose it is: later messages carry no token."""
        self.connections.open(connection, actor, expires_at=self.clock.now() + CONNECTION_LASTS)


@dataclass(frozen=True)
class CloseConnection:
    """A socket was closed."""

    connections: ConnectionStore

    def __call__(self, connection: str) -> None:
        """Forget it."""
        self.connections.close(connection)


@dataclass(frozen=True)
class AnswerSocket:
    """Carries out a message of a socket's client."""

    find: FindRun
    watches: WatchStore
    connections: ConnectionStore
    clock: Clock

    def __call__(self, connection: str, request: Subscribe | Unsubscribe | Ping) -> Subscribed | Pong:
        """The answer. Raises NotFoundError, ForbiddenError."""
        match request:
            case Subscribe():
                return self._subscribe(connection, request)
            case Unsubscribe():
                self.connections.unsubscribe(connection, request.run_id)
        return Pong()

    def _subscribe(self, connection: str, request: Subscribe) -> Subscribed:
        actor = self.connections.actor(connection)
        if actor is None:
            raise ForbiddenError("this connection is not signed in")
        run = self.find(request.run_id, actor=actor)
        now = self.clock.now()
        until = now + SUBSCRIPTION_LASTS
        self.connections.subscribe(
            Subscription(
                run_id=run.run_id,
                connection=connection,
                work_id=request.work_id,
                log=request.log,
                from_offset=request.from_offset,
                expires_at=until,
            )
        )
        target = target_of(request.work_id, log=request.log)
        ways = [(Way.PUSHED, until), (Way.POLLED, now + CATCH_UP_LASTS)]
        self.watches.mark(run.run_id, target, ways, now=now)
        return Subscribed(
            run_id=run.run_id,
            work_id=request.work_id,
            expires_in_seconds=int(SUBSCRIPTION_LASTS.total_seconds()),
        )


@dataclass(frozen=True)
class FanOut:
    """Sends pieces to the connections that subscribed to them. Nothing is sent twice for one that is slow."""

    connections: ConnectionStore
    sockets: Sockets
    clock: Clock

    def __call__(self, pieces: Sequence[Piece]) -> int:
        """How many messages arrived. Raises RetryableError when the store is away."""
        by_run: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces:
            by_run[piece.run_id].append(piece)
        return sum(self._tell(run_id, of_run) for run_id, of_run in by_run.items())

    def _tell(self, run_id: str, pieces: Sequence[Piece]) -> int:
        subscriptions = self.connections.subscriptions(run_id, now=self.clock.now())
        made = posts(pieces, subscriptions)
        by_connection: dict[str, list[Post]] = defaultdict(list)
        for post in made:
            by_connection[post.subscription.connection].append(post)
        return sum(self._send(of_one) for of_one in by_connection.values())

    def _send(self, posts_of_one: Sequence[Post]) -> int:
        """One connection's messages. Where it is too slow, the rest is not tried, and it will be told of the gap."""
        subscription = posts_of_one[0].subscription
        sent = 0
        left: Sequence[Post] = ()
        try:
            for post in posts_of_one:
                self.sockets.send(subscription.connection, post.message.to_wire())
                sent += 1
        except NotFoundError:
            self.connections.close(subscription.connection)
            return sent
        except RetryableError as error:
            _log.info("a connection is behind: %s", error)
            left = posts_of_one[sent:]
        told = {post.name for post in posts_of_one[:sent]} & set(subscription.behind)
        if told:
            self.connections.catch_up(subscription, sorted(told))
        self._fall_behind(subscription, left)
        return sent

    def _fall_behind(self, subscription: Subscription, left: Iterable[Post]) -> None:
        first: dict[str, int] = {}
        for post in left:
            first[post.name] = min(first.get(post.name, post.offset), post.offset)
        for name, offset in first.items():
            self.connections.fall_behind(subscription, name, offset)
