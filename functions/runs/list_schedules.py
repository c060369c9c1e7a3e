"""GET /api/v1/schedules."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import SchedulePage
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import schedule_summary


@api_handler("list_schedules")
def handler(call: ApiCall) -> SchedulePage:
    """List a team's schedules."""
    page = schedules.list_schedules()(
        team=call.query.get("team"), limit=call.limit, cursor=call.cursor, actor=call.actor
    )
    return SchedulePage(items=tuple(map(schedule_summary, page.items)), next_cursor=page.cursor)
