"""The socket's authorizer: asked once for each connection, as the API's is for each call."""

from typing import Any

from crosswind.bootstrap import identity
from crosswind.edge import authorizer


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A policy for the socket, or a refusal of the handshake."""
    return authorizer.authorize(
        event, context, verify=identity.verify_token(), stage=identity.settings().stage
    )
