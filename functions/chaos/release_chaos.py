"""POST /api/v1/chaos/release."""

from crosswind.bootstrap import chaos_gate
from crosswind.contracts.chaos.gate import HaltView, ReleaseRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("release_chaos")
def handler(call: ApiCall) -> HaltView:
    """Let experiments start again."""
    return chaos_gate.release_chaos()(call.request(ReleaseRequest), actor=call.actor)
