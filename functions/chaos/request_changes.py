"""POST /api/v1/experiments/{id}/request-changes."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import ExperimentView, ReviewRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("request_changes")
def handler(call: ApiCall) -> ExperimentView:
    """Send it back to its authors."""
    reviewed = chaos.request_changes()(
        call.path["id"], call.request(ReviewRequest), team=call.query.get("team"), actor=call.actor
    )
    return chaos.show_experiment()(reviewed)
