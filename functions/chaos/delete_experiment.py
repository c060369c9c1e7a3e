"""DELETE /api/v1/experiments/{id}."""

from crosswind.bootstrap import chaos
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("delete_experiment")
def handler(call: ApiCall) -> None:
    """Delete an experiment."""
    chaos.delete_experiment()(call.path["id"], team=call.query.get("team"), actor=call.actor)
