"""PUT /api/v1/schedules/{name}."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import PutScheduleAnswer, Schedule
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import schedule_view


@api_handler("put_schedule")
def handler(call: ApiCall) -> PutScheduleAnswer:
    """Store a schedule."""
    stored, created = schedules.put_schedule()(call.path["name"], call.request(Schedule), actor=call.actor)
    return PutScheduleAnswer(created=created, schedule=schedule_view(stored))
