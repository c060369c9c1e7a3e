"""POST /api/v1/incidents."""

from crosswind.bootstrap import chaos_gate
from crosswind.contracts.chaos.gate import IncidentAccepted, RecordIncidentRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("record_incident")
def handler(call: ApiCall) -> IncidentAccepted:
    """Record that an incident began or ended."""
    return chaos_gate.record_incident()(call.request(RecordIncidentRequest), actor=call.actor)
