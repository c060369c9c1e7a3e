"""The edge of the socket's Lambdas: connections come and go, and messages are answered through the socket itself.

An answer is posted to the connection, not returned: API Gateway sends returned texts only where a route has a response
configured, and a refusal must reach the client in any case.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from crosswind.contracts.actors import Actor
from crosswind.contracts.base import WireModel
from crosswind.contracts.live import Ping, Pong, Refused, SocketRequest, Subscribe, Subscribed, Unsubscribe
from crosswind.edge import telemetry
from crosswind.kernel.errors import (
    CrosswindError,
    ForbiddenError,
    NotFoundError,
    RetryableError,
    TerminalError,
)
from crosswind.runs.live.ports import Sockets

Request = Subscribe | Unsubscribe | Ping
_REQUESTS: TypeAdapter[Request] = TypeAdapter(SocketRequest)
_OK = {"statusCode": 200}


def connect(
    event: Mapping[str, Any],
    context: Any,
    *,
    open_connection: Callable[[str, Actor], None],
    close_connection: Callable[[str], None],
) -> dict[str, Any]:
    """$connect, after the authorizer has let it through, and $disconnect."""
    telemetry.bind(context)
    request = event["requestContext"]
    connection = str(request["connectionId"])
    if request["eventType"] == "DISCONNECT":
        close_connection(connection)
        return _OK
    actor = Actor.model_validate_json(request["authorizer"]["actor"])
    telemetry.add(actor=actor.subject)
    open_connection(connection, actor)
    return _OK


def answer(
    event: Mapping[str, Any],
    context: Any,
    *,
    carry_out: Callable[[str, Request], Subscribed | Pong],
    sockets: Sockets,
) -> dict[str, Any]:
    """A message: carry it out and post the answer. A connection that closed in between needs none."""
    telemetry.bind(context)
    connection = str(event["requestContext"]["connectionId"])
    made = _answer(connection, str(event.get("body") or ""), carry_out)
    try:
        sockets.send(connection, made.to_wire())
    except CrosswindError as error:
        telemetry.logger().info("an answer did not arrive: %s", error)
    return _OK


def _answer(connection: str, body: str, carry_out: Callable[[str, Request], Subscribed | Pong]) -> WireModel:
    try:
        return carry_out(connection, _REQUESTS.validate_json(body))
    except ValidationError as error:
        return Refused(status=400, detail=f"not a message of this socket: {error.errors()[0]['msg']}")
    except NotFoundError as error:
        return Refused(status=404, detail=str(error))
    except ForbiddenError as error:
        return Refused(status=403, detail=str(error))
    except TerminalError as error:
        return Refused(status=400, detail=str(error))
    except RetryableError:
        telemetry.logger().exception("a message could not be carried out")
        return Refused(status=503, detail="try again in a moment")
