"""POST /api/v1/experiments/{id}/approve."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import ExperimentView, ReviewRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("approve_experiment")
def handler(call: ApiCall) -> ExperimentView:
    """Approve what was looked at."""
    reviewed = chaos.approve_experiment()(
        call.path["id"], call.request(ReviewRequest), team=call.query.get("team"), actor=call.actor
    )
    return chaos.show_experiment()(reviewed)
