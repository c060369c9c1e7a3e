"""POST /api/v1/chaos/halt."""

from crosswind.bootstrap import chaos_gate
from crosswind.contracts.chaos.gate import HaltRequest, HaltView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("halt_chaos")
def handler(call: ApiCall) -> HaltView:
    """Stop everything."""
    return chaos_gate.halt_chaos()(call.request(HaltRequest), actor=call.actor)
