"""GET /api/v1/experiments/{id}."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import ExperimentView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_experiment")
def handler(call: ApiCall) -> ExperimentView:
    """Read an experiment."""
    return chaos.get_experiment()(
        call.path["id"],
        team=call.query.get("team"),
        revision=call.integer("revision", default=0) or None,
        actor=call.actor,
    )
