"""POST /api/v1/tests/{id}/pause."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import RunView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("pause_run")
def handler(call: ApiCall) -> RunView:
    """Pause a run."""
    changed = api.pause_run()(call.path["id"], call.actor)
    return api.get_run().view(changed, detail=False)
