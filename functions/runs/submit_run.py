"""POST /api/v1/tests."""

from crosswind.bootstrap import submitting
from crosswind.contracts.requests import RunAccepted, SubmitRunRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("submit_run")
def handler(call: ApiCall) -> RunAccepted:
    """Submit a run."""
    run, created = submitting.submit_run()(
        call.request(SubmitRunRequest), actor=call.actor, idempotency_key=call.headers.get("idempotency-key")
    )
    return RunAccepted(execution_id=run.run_id, state=run.state, repeated=not created)
