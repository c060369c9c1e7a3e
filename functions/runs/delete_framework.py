"""DELETE /api/v1/frameworks/{name}."""

from crosswind.bootstrap import api
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("delete_framework")
def handler(call: ApiCall) -> None:
    """Delete a team's framework."""
    api.delete_framework()(call.path["name"], team=call.query.get("team"), actor=call.actor)
