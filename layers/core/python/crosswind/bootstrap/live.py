"""Use cases of the socket's Lambdas; each made once, at first use."""

from functools import cache

from crosswind.bootstrap import stores
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.platform.access import decide
from crosswind.runs.live.ports import Sockets
from crosswind.runs.usecases.following_live import AnswerSocket, CloseConnection, FanOut, OpenConnection
from crosswind.runs.usecases.reading import FindRun
from crosswind.settings import SocketSettings, StoreSettings


@cache
def open_connection() -> OpenConnection:
    """A socket opens."""
    return OpenConnection(stores.connection_store(_settings()), SystemClock())


@cache
def close_connection() -> CloseConnection:
    """A socket closes."""
    return CloseConnection(stores.connection_store(_settings()))


@cache
def answer_socket() -> AnswerSocket:
    """A message comes through a socket."""
    return AnswerSocket(
        find=FindRun(runs=stores.run_store(StoreSettings.from_env()), guard=Guard(decide)),
        watches=stores.watch_store(_settings()),
        connections=stores.connection_store(_settings()),
        clock=SystemClock(),
    )


@cache
def fan_out() -> FanOut:
    """News goes out."""
    return FanOut(stores.connection_store(_settings()), sockets(), SystemClock())


@cache
def sockets() -> Sockets:
    """Where answers go."""
    return stores.sockets(_settings())


@cache
def _settings() -> SocketSettings:
    return SocketSettings.from_env()
