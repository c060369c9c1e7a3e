"""DELETE /api/v1/tests/{id}."""

from crosswind.bootstrap import api, workers
from crosswind.contracts.actors import Action
from crosswind.contracts.requests import RunView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("cancel_run")
def handler(call: ApiCall) -> RunView:
    """Cancel a run."""
    found = api.find_run()(call.path["id"], actor=call.actor, action=Action.CANCEL_RUNS)
    cancelled = workers.cancel_run()(found.run_id, call.actor)
    return api.get_run().view(cancelled, detail=False)
