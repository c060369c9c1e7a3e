"""POST /api/v1/plans."""

from crosswind.bootstrap import api
from crosswind.contracts.plans import CreatePlanRequest, PlanAccepted
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("create_plan")
def handler(call: ApiCall) -> PlanAccepted:
    """Plan a run without running it."""
    return api.create_plan()(
        call.request(CreatePlanRequest), actor=call.actor, idempotency_key=call.headers.get("idempotency-key")
    )
