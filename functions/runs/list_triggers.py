"""GET /api/v1/triggers."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import TriggerPage
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import trigger_view


@api_handler("list_triggers")
def handler(call: ApiCall) -> TriggerPage:
    """List a team's triggers."""
    page = schedules.list_triggers()(
        team=call.query.get("team"), limit=call.limit, cursor=call.cursor, actor=call.actor
    )
    return TriggerPage(items=tuple(map(trigger_view, page.items)), next_cursor=page.cursor)
