"""DELETE /api/v1/tests/{id}."""

from crosswind.bootstrap import api, workers
from crosswind.contracts.requests import RunView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("cancel_run")
def handler(call: ApiCall) -> RunView:
    """Cancel a run."""
    cancelled = workers.cancel_run()(call.path["id"], call.actor)
    return api.get_run().view(cancelled, detail=False)
