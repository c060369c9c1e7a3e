"""GET /api/v1/experiments/{id}/runs/{runId}."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.runs import ExperimentRunView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_experiment_run")
def handler(call: ApiCall) -> ExperimentRunView:
    """Read a run."""
    return chaos.get_experiment_run()(
        call.path["id"], call.path["runId"], team=call.query.get("team"), actor=call.actor
    )
