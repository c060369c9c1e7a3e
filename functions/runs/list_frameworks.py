"""GET /api/v1/frameworks."""

from crosswind.bootstrap import api
from crosswind.contracts.framework_answers import FrameworkPage
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_frameworks")
def handler(call: ApiCall) -> FrameworkPage:
    """List what a team's suites may use."""
    page = api.list_frameworks()(
        team=call.query.get("team"), limit=call.limit, cursor=call.cursor, actor=call.actor
    )
    return FrameworkPage(items=page.items, next_cursor=page.cursor)
