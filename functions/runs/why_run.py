"""GET /api/v1/tests/{id}/why."""

from crosswind.bootstrap import api
from crosswind.contracts.explaining import WhyView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("why_run")
def handler(call: ApiCall) -> WhyView:
    """Say why a run waits, is red, or passed."""
    return api.explain_run()(call.path["id"], actor=call.actor)
