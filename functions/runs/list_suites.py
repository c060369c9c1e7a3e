"""GET /api/v1/suites."""

from crosswind.bootstrap import documents
from crosswind.contracts.requests import SuitePage, SuiteSummary
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.kernel.clock import to_iso


@api_handler("list_suites")
def handler(call: ApiCall) -> SuitePage:
    """List a team's suites."""
    page = documents.list_suites()(
        team=call.query.get("team"), limit=call.limit, cursor=call.cursor, actor=call.actor
    )
    items = tuple(
        SuiteSummary(
            name=each.name,
            team=each.team,
            digest=each.digest,
            updated_at=to_iso(each.updated_at),
            updated_by=each.updated_by,
        )
        for each in page.items
    )
    return SuitePage(items=items, next_cursor=page.cursor)
