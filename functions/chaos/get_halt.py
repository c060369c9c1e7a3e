"""GET /api/v1/chaos/halt."""

from crosswind.bootstrap import chaos_gate
from crosswind.contracts.chaos.gate import HaltView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_halt")
def handler(call: ApiCall) -> HaltView:
    """Tell whether everything is halted."""
    return chaos_gate.read_halt()(actor=call.actor)
