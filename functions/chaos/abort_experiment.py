"""POST /api/v1/experiments/{id}/abort."""

from crosswind.bootstrap import chaos
from crosswind.chaos.views import run_summary
from crosswind.contracts.chaos.runs import AbortRequest, ExperimentRunPage
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("abort_experiment")
def handler(call: ApiCall) -> ExperimentRunPage:
    """Abort its runs."""
    request = call.request(AbortRequest) if call.body else AbortRequest()
    told = chaos.abort_experiment()(call.path["id"], request, team=call.query.get("team"), actor=call.actor)
    return ExperimentRunPage(items=tuple(run_summary(each) for each in told))
