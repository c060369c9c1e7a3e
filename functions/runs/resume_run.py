"""POST /api/v1/tests/{id}/resume."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import RunView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("resume_run")
def handler(call: ApiCall) -> RunView:
    """Let a paused run go on."""
    changed = api.resume_run()(call.path["id"], call.actor)
    return api.get_run().view(changed, detail=False)
