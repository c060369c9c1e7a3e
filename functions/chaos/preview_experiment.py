"""POST /api/v1/experiments/{id}/preview."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import ExperimentPreview
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("preview_experiment")
def handler(call: ApiCall) -> ExperimentPreview:
    """Look at what would happen."""
    return chaos.preview_experiment()(
        call.path["id"],
        team=call.query.get("team"),
        revision=call.integer("revision", default=0) or None,
        actor=call.actor,
    )
