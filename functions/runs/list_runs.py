"""GET /api/v1/tests."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import RunPage, RunState, VerdictKind
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_runs")
def handler(call: ApiCall) -> RunPage:
    """List a team's runs."""
    page = api.list_runs()(
        team=call.query.get("team"),
        suite=call.query.get("suite"),
        state=call.choice("state", RunState),
        verdict=call.choice("verdict", VerdictKind),
        limit=call.limit,
        cursor=call.cursor,
        actor=call.actor,
    )
    return RunPage(items=page.items, next_cursor=page.cursor)
