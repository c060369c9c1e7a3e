"""The edge of the Lambda authorizer (API Gateway REST API; TOKEN or REQUEST)."""

from collections.abc import Callable, Mapping
from typing import Any

from crosswind.contracts.actors import Actor
from crosswind.edge import telemetry
from crosswind.kernel.errors import RetryableError, TerminalError


class UnauthorizedError(Exception):
    """Its text is what API Gateway demands for a 401; anything else becomes a 500."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def authorize(
    event: Mapping[str, Any], context: Any, *, verify: Callable[[str], Actor], stage: str
) -> dict[str, Any]:
    """A policy that allows every operation of the API's stage, with the actor in its context.

    What the actor may do is decided by the use cases. The log line of a refusal says `refused` when the token is at
    fault and `issuer unreachable` when the token could not be checked.

    Raises:
        UnauthorizedError: For every fault.
    """
    telemetry.bind(context)
    try:
        actor = verify(_authorization(event))
    except TerminalError as error:
        telemetry.logger().info("refused: %s", error)
        raise UnauthorizedError from None
    except RetryableError as error:
        telemetry.logger().error("issuer unreachable: %s", error)
        raise UnauthorizedError from None
    except Exception:  # noqa: BLE001  # only this one error means 401 to the gateway
        telemetry.logger().exception("unforeseen fault")
        raise UnauthorizedError from None
    return {
        "principalId": actor.subject,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": _whole_stage(event["methodArn"]),
                }
            ],
        },
        "context": {"actor": actor.to_wire(), "stage": stage},
    }


def _authorization(event: Mapping[str, Any]) -> str:
    if "authorizationToken" in event:
        return str(event["authorizationToken"] or "")
    headers = event.get("headers") or {}
    return next((str(value) for name, value in headers.items() if name.lower() == "authorization"), "")


def _whole_stage(method_arn: str) -> str:
    """`arn:aws:execute-api:region:account:api/stage/*` of the ARN of one method."""
    return "/".join([*method_arn.split("/")[:2], "*"])
