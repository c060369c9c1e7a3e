"""Every message of the WebSocket API."""

from typing import Any

from crosswind.bootstrap import live
from crosswind.edge import socket_handler


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Subscribe, unsubscribe, or answer a ping."""
    return socket_handler.answer(event, context, carry_out=live.answer_socket(), sockets=live.sockets())
