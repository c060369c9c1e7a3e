"""The front door's socket: passes a connection at /live on to the emulator's WebSocket API, message by message."""

import asyncio
import ssl
from dataclasses import dataclass

import websockets
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from crosswind.local.home import LocalState

PATH = "/live"
MAX_MESSAGE_BYTES = 1024 * 1024
_OPEN_SECONDS = 20.0
_AWAY = 502
_GOING_AWAY = 1001


@dataclass(frozen=True)
class SocketDoor:
    """Opens the emulator's side first: a refusal there is a refusal of the handshake here, as on AWS."""

    verify: ssl.SSLContext

    async def __call__(self, socket: WebSocket, state: LocalState | None) -> None:
        """Carry one connection until either side ends it."""
        if state is None or "SocketApiId" not in state.outputs:
            await _refuse(socket, _AWAY, "no socket is deployed yet; `crosswind up` deploys it")
            return
        token = socket.headers.get("authorization")
        headers = {"Authorization": token} if token else {}
        try:
            inner = await connect(
                _address(state),
                additional_headers=headers,
                open_timeout=_OPEN_SECONDS,
                max_size=MAX_MESSAGE_BYTES,
                ping_interval=None,  # as on AWS, where only messages keep a connection
                proxy=None,
                ssl=self.verify if state.emulator_url.startswith("https:") else None,
            )
        except InvalidStatus as refusal:
            await _refuse(socket, refusal.response.status_code, "the socket was refused")
            return
        except (OSError, TimeoutError, InvalidHandshake, websockets.InvalidURI):
            await _refuse(socket, _AWAY, "the embedded cloud does not answer; `crosswind up` starts it")
            return
        async with inner:
            await socket.accept()
            await _carry(socket, inner)


async def _carry(socket: WebSocket, inner: ClientConnection) -> None:
    ways = {asyncio.create_task(_inward(socket, inner)), asyncio.create_task(_outward(socket, inner))}
    _, other = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for task in other:
        task.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    await inner.close()
    try:
        await socket.close(_GOING_AWAY)
    except RuntimeError:
        return  # the client has closed it


async def _inward(socket: WebSocket, inner: ClientConnection) -> None:
    try:
        while True:
            await inner.send(await socket.receive_text())
    except (WebSocketDisconnect, ConnectionClosed, KeyError):
        return


async def _outward(socket: WebSocket, inner: ClientConnection) -> None:
    try:
        async for message in inner:
            await socket.send_text(message if isinstance(message, str) else message.decode(errors="replace"))
    except (WebSocketDisconnect, ConnectionClosed, RuntimeError):
        return


async def _refuse(socket: WebSocket, status: int, detail: str) -> None:
    await socket.send_denial_response(PlainTextResponse(detail, status_code=status))


def _address(state: LocalState) -> str:
    base = state.emulator_url.replace("http", "ws", 1)
    return f"{base}/_aws/execute-api/{state.outputs['SocketApiId']}/{state.outputs['SocketStage']}"
