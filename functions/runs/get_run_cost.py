"""GET /api/v1/tests/{id}/cost."""

from crosswind.bootstrap import costs
from crosswind.contracts.costs import CostGrouping, RunCost
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_run_cost")
def handler(call: ApiCall) -> RunCost:
    """What a run has cost."""
    by = call.choice("by", CostGrouping) or CostGrouping.JOB
    return costs.get_run_cost()(call.path["id"], by=by, actor=call.actor)
