"""Routes $connect and $disconnect of the WebSocket API."""

from typing import Any

from crosswind.bootstrap import live
from crosswind.edge import socket_handler


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Remember whose a connection is, or forget it."""
    return socket_handler.connect(
        event, context, open_connection=live.open_connection(), close_connection=live.close_connection()
    )
