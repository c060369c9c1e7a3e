"""PUT /api/v1/quarantines."""

from crosswind.bootstrap import api
from crosswind.contracts.history import PutQuarantineAnswer, PutQuarantineRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("put_quarantine")
def handler(call: ApiCall) -> PutQuarantineAnswer:
    """Put a test into quarantine."""
    return api.put_quarantine()(call.request(PutQuarantineRequest), actor=call.actor)
