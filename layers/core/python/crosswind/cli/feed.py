"""News of a run: by the socket where there is one, with reconnects; without, the runners are asked to ship for a poller.

Whoever follows a run calls `wait` in the place of a sleep. It comes back early when something has come.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError

from crosswind.cli.errors import ApiError, CliError, ConnectionFailedError
from crosswind.cli.session import Session
from crosswind.cli.sockets import Socket, SocketClosedError
from crosswind.contracts.live import (
    Piece,
    Pong,
    Refused,
    Skipped,
    SocketMessage,
    Subscribe,
    Subscribed,
    WatchRequest,
    WatchView,
)

Message = Piece | Subscribed | Pong | Refused | Skipped
_MESSAGES: TypeAdapter[Message] = TypeAdapter(SocketMessage)

RENEW_SECONDS = 40.0
"""Between subscriptions: a third of what one lasts, and far from the 10 min after which API Gateway closes."""

MARK_SECONDS = 15.0
LONGEST_PAUSE = 30.0
_TRIES_WITHOUT_SUCCESS = 5
_MOST_AT_ONCE = 500


@dataclass
class Feed:
    """What runners ship of one run, while it is asked for."""

    session: Session
    run_id: str
    work_id: str | None = None
    log: bool = False
    chance: Callable[[], float] = random.random
    reconnected: bool = False
    """The socket was opened again: something may have been missed. Whoever reads this sets it back."""

    _socket: Socket | None = None
    _address: str | None = None
    _over: bool = False  # no socket can be had here
    _failures: int = 0
    _had_one: bool = False
    _connect_at: float = 0.0
    _renew_at: float = field(default=float("-inf"))
    _marks: bool = True

    @property
    def live(self) -> bool:
        """Whether news comes by itself."""
        return self._socket is not None

    @property
    def _path(self) -> str:
        return f"/api/v1/tests/{quote(self.run_id, safe='')}/watch"

    def begin(self) -> None:
        """Say that someone watches, before anything is read: what is read first is then up to date."""
        self._renew()

    def wait(self, seconds: float) -> list[Piece | Skipped]:
        """News, at once when there is some, and at the latest after so many seconds."""
        self._renew()
        if self._socket is None:
            self.session.surroundings.sleep(seconds)
            return []
        news: list[Piece | Skipped] = []
        try:
            self._receive(self._socket, seconds, news)
        except SocketClosedError:
            self._lost()
        return news

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, socket: Socket, seconds: float, news: list[Piece | Skipped]) -> None:
        """Take what is there; it stays in `news` also where the socket then ends."""
        text = socket.receive(seconds)
        while text is not None:
            message = _read(text)
            if isinstance(message, Piece | Skipped) and message.run_id == self.run_id:
                news.append(message)
            elif isinstance(message, Refused) and message.status < 500:  # noqa: PLR2004
                self._over = True
                self._lost()
                break
            text = socket.receive(0) if len(news) < _MOST_AT_ONCE else None

    def _renew(self) -> None:
        now = self.session.surroundings.monotonic()
        if self._socket is None and self._address and not self._over and now >= self._connect_at:
            self._open(self._address)
        if now < self._renew_at:
            return
        if self._socket is not None:
            self._renew_at = now + RENEW_SECONDS
            self._subscribe(self._socket)
        elif self._marks:
            self._renew_at = now + MARK_SECONDS
            self._mark()
            if self._address and not self._over and not self._failures:
                self._open(self._address)

    def _mark(self) -> None:
        request = WatchRequest(work_id=self.work_id, log=self.log)
        try:
            view = self.session.client.write("POST", self._path, request, WatchView)
        except ConnectionFailedError:
            return
        except (ApiError, CliError):
            self._marks = False  # an API from before there were any, or it is not to be had: poll alone
            return
        self._address = socket_address(self.session.endpoint, view.socket) if view.socket else None

    def _open(self, address: str) -> None:
        connect = self.session.surroundings.connect
        try:
            self._socket = connect(address, self.session.client.authorization)
        except SocketClosedError as error:
            self._over = error.refused
            self._lost()
            return
        self._failures = 0
        self.reconnected, self._had_one = self._had_one, True
        self._renew_at = self.session.surroundings.monotonic() + RENEW_SECONDS
        self._subscribe(self._socket)

    def _subscribe(self, socket: Socket) -> None:
        message = Subscribe(action="subscribe", run_id=self.run_id, work_id=self.work_id, log=self.log)
        try:
            socket.send(message.to_wire())
        except SocketClosedError:
            self._lost()

    def _lost(self) -> None:
        """Poll until there is a connection again; the first try comes soon, further ones ever later, none in step."""
        self.close()
        self._failures += 1
        if self._failures >= _TRIES_WITHOUT_SUCCESS and not self._had_one:
            self._over = True
        now = self.session.surroundings.monotonic()
        pause = min(LONGEST_PAUSE, 0.5 * 2.0**self._failures)
        self._connect_at = now + pause * (0.5 + self.chance())
        self._renew_at = now  # as a poller, until then


def socket_address(endpoint: str, told: str) -> str:
    """The address of the socket; a path is one of the endpoint itself."""
    if not told.startswith("/"):
        return told
    parts = urlsplit(endpoint)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, told, "", ""))


def _read(text: str) -> Message | None:
    """A message; what a newer server says beside these is passed over."""
    try:
        return _MESSAGES.validate_json(text, extra="ignore")
    except ValidationError:
        return None
