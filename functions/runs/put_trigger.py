"""PUT /api/v1/triggers/{name}."""

from crosswind.bootstrap import schedules
from crosswind.contracts.schedules import PutTriggerAnswer, Trigger
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.schedules.views import trigger_view


@api_handler("put_trigger")
def handler(call: ApiCall) -> PutTriggerAnswer:
    """Store a trigger."""
    stored, created = schedules.put_trigger()(call.path["name"], call.request(Trigger), actor=call.actor)
    return PutTriggerAnswer(created=created, trigger=trigger_view(stored))
