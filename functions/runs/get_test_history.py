"""GET /api/v1/history."""

from crosswind.bootstrap import api
from crosswind.contracts.history import TestHistoryList
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_test_history")
def handler(call: ApiCall) -> TestHistoryList:
    """Read what a test has been through."""
    return api.get_test_history()(
        team=call.query.get("team"),
        suite=call.required("suite"),
        name=call.query.get("name"),
        identity=call.query.get("id"),
        actor=call.actor,
    )
