"""GET /api/v1/experiments/{id}/results."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.runs import ExperimentResults
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_experiment_results")
def handler(call: ApiCall) -> ExperimentResults:
    """Read a run's verdict."""
    return chaos.read_results()(
        call.path["id"], run_id=call.query.get("run"), team=call.query.get("team"), actor=call.actor
    )
