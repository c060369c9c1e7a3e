"""POST /api/v1/experiments/{id}/start."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.runs import ExperimentRunView, StartRequest
from crosswind.contracts.permissions import chosen_team
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("start_experiment")
def handler(call: ApiCall) -> ExperimentRunView:
    """Start a run."""
    request = call.request(StartRequest) if call.body else StartRequest()
    run, _ = chaos.start_experiment()(
        chosen_team(call.actor, call.query.get("team")),
        call.path["id"],
        parameters=request.parameters,
        actor=call.actor,
        idempotency_key=call.headers.get("idempotency-key"),
    )
    return chaos.show_run()(run)
