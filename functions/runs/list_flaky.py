"""GET /api/v1/flaky."""

from crosswind.bootstrap import api
from crosswind.contracts.history import FlakyList
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_flaky")
def handler(call: ApiCall) -> FlakyList:
    """List flaky and broken tests."""
    return api.list_flaky()(team=call.query.get("team"), suite=call.query.get("suite"), actor=call.actor)
