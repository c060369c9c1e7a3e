"""POST /api/v1/schedules/{name}/resume."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import ScheduleView
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import schedule_view


@api_handler("resume_schedule")
def handler(call: ApiCall) -> ScheduleView:
    """Resume a schedule."""
    found = schedules.resume_schedule()(call.path["name"], team=call.query.get("team"), actor=call.actor)
    return schedule_view(found)
