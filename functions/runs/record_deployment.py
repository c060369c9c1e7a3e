"""POST /api/v1/deployments."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import DeploymentAccepted, RecordDeploymentRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("record_deployment")
def handler(call: ApiCall) -> DeploymentAccepted:
    """Record a deployment."""
    event, created = schedules.record_deployment()(
        call.request(RecordDeploymentRequest),
        actor=call.actor,
        idempotency_key=call.headers.get("idempotency-key"),
    )
    return DeploymentAccepted(event_id=event.id, repeated=not created)
