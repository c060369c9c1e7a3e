"""GET /api/v1/experiments/{id}/timeline."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.runs import TimelinePage
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_experiment_timeline")
def handler(call: ApiCall) -> TimelinePage:
    """Read what happened."""
    page = chaos.read_timeline()(
        call.path["id"],
        run_id=call.query.get("run"),
        team=call.query.get("team"),
        limit=call.limit,
        cursor=call.cursor,
        actor=call.actor,
    )
    return TimelinePage(items=page.items, next_cursor=page.cursor)
