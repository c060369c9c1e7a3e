"""GET /api/v1/quarantines."""

from crosswind.bootstrap import api
from crosswind.contracts.history import QuarantineList
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_quarantines")
def handler(call: ApiCall) -> QuarantineList:
    """List a team's quarantined tests."""
    return api.list_quarantines()(
        team=call.query.get("team"), suite=call.query.get("suite"), actor=call.actor
    )
