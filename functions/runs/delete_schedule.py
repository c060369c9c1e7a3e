"""DELETE /api/v1/schedules/{name}."""

from crosswind.bootstrap import schedules
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("delete_schedule")
def handler(call: ApiCall) -> None:
    """Delete a schedule."""
    schedules.delete_schedule()(call.path["name"], team=call.query.get("team"), actor=call.actor)
