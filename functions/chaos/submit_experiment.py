"""POST /api/v1/experiments/{id}/submit."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import ExperimentView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("submit_experiment")
def handler(call: ApiCall) -> ExperimentView:
    """Ask for a review."""
    team = call.query.get("team")
    submitted = chaos.submit_experiment()(call.path["id"], team=team, actor=call.actor)
    return chaos.show_experiment()(submitted)
