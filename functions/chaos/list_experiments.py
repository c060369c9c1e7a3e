"""GET /api/v1/experiments."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import ExperimentPage
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_experiments")
def handler(call: ApiCall) -> ExperimentPage:
    """List a team's experiments."""
    page = chaos.list_experiments()(
        team=call.query.get("team"), limit=call.limit, cursor=call.cursor, actor=call.actor
    )
    return ExperimentPage(items=page.items, next_cursor=page.cursor)
