"""GET /api/v1/schedules/{name}."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import ScheduleView
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import schedule_view


@api_handler("get_schedule")
def handler(call: ApiCall) -> ScheduleView:
    """Read a schedule."""
    found = schedules.get_schedule()(call.path["name"], team=call.query.get("team"), actor=call.actor)
    return schedule_view(found)
