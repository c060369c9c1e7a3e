"""The API's authorizer: a bearer token becomes an actor, or the call is refused."""

from typing import Any

from crosswind.bootstrap import identity
from crosswind.edge import authorizer


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A policy for the whole stage, so that API Gateway may keep it for all of an actor's calls."""
    return authorizer.authorize(
        event, context, verify=identity.verify_token(), stage=identity.settings().stage
    )
