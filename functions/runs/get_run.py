"""GET /api/v1/tests/{id}."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import RunView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_run")
def handler(call: ApiCall) -> RunView:
    """Read a run."""
    return api.get_run()(call.path["id"], detail=call.boolean("detail"), actor=call.actor)
