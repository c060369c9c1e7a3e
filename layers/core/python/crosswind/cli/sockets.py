"""The sockets that news come by, opened with the library `websockets`."""

import ssl
from typing import TYPE_CHECKING, Protocol

from crosswind.cli.config import is_loopback

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

OPEN_SECONDS = 10.0
MAX_MESSAGE_BYTES = 1024 * 1024
_REFUSALS = frozenset({401, 403, 404})


class Socket(Protocol):
    """An open connection."""

    def send(self, message: str) -> None:
        """Send a message. Raises SocketClosedError."""
        ...

    def receive(self, seconds: float) -> str | None:
        """The next message, or None when there was none in that time. Raises SocketClosedError."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class SocketClosedError(Exception):
    """The connection has ended, or could not be opened. `refused` says that trying again is of no use."""

    def __init__(self, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.refused = refused


class _WebSocket:
    """A Socket over one connection."""

    def __init__(self, connection: "ClientConnection") -> None:
        self._connection = connection

    def send(self, message: str) -> None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415  # only who follows a run pays for it

        try:
            self._connection.send(message)
        except (ConnectionClosed, OSError) as error:
            raise SocketClosedError(str(error)) from error

    def receive(self, seconds: float) -> str | None:
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415

        try:
            message = self._connection.recv(timeout=seconds)
        except TimeoutError:
            return None
        except (ConnectionClosed, OSError) as error:
            raise SocketClosedError(str(error)) from error
        return message if isinstance(message, str) else message.decode(errors="replace")

    def close(self) -> None:
        self._connection.close()


def open_socket(address: str, authorization: str | None) -> Socket:
    """Open a connection with the API's token. Raises SocketClosedError; a token never goes out in clear text."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI  # noqa: PLC0415
    from websockets.sync.client import connect  # noqa: PLC0415

    near = is_loopback(address)
    if not near and not address.startswith("wss://"):
        raise SocketClosedError("the socket is not encrypted", refused=True)
    try:
        connection = connect(
            address,
            additional_headers={"Authorization": authorization} if authorization else {},
            open_timeout=OPEN_SECONDS,
            close_timeout=1.0,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None if near else True,
            ssl=None if address.startswith("ws://") else ssl.create_default_context(),
        )
    except InvalidStatus as error:
        status = error.response.status_code
        raise SocketClosedError(f"refused with status {status}", refused=status in _REFUSALS) from error
    except (InvalidHandshake, InvalidURI, OSError, TimeoutError) as error:
        raise SocketClosedError(str(error) or type(error).__name__) from error
    return _WebSocket(connection)
