"""GET /api/v1/triggers/{name}."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import TriggerView
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import trigger_view


@api_handler("get_trigger")
def handler(call: ApiCall) -> TriggerView:
    """Read a trigger."""
    found = schedules.get_trigger()(call.path["name"], team=call.query.get("team"), actor=call.actor)
    return trigger_view(found)
