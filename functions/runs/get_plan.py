"""GET /api/v1/plans/{id}."""

from crosswind.bootstrap import api
from crosswind.contracts.plans import PlanView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_plan")
def handler(call: ApiCall) -> PlanView:
    """Read a plan."""
    return api.get_plan()(call.path["id"], actor=call.actor)
