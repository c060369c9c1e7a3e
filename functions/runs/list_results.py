"""GET /api/v1/tests/{id}/results."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import CasePage
from crosswind.contracts.statuses import CaseStatus
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_results")
def handler(call: ApiCall) -> CasePage:
    """Read test cases."""
    return api.list_results()(
        call.path["id"],
        status=call.choice("status", CaseStatus),
        limit=call.limit,
        cursor=call.cursor,
        actor=call.actor,
    )
