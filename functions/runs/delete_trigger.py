"""DELETE /api/v1/triggers/{name}."""

from crosswind.bootstrap import schedules
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("delete_trigger")
def handler(call: ApiCall) -> None:
    """Delete a trigger."""
    schedules.delete_trigger()(call.path["name"], team=call.query.get("team"), actor=call.actor)
