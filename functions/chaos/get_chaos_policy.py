"""GET /api/v1/chaos/policies/{environment}."""

from crosswind.bootstrap import chaos_gate
from crosswind.contracts.chaos.gate import PolicyView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_chaos_policy")
def handler(call: ApiCall) -> PolicyView:
    """Show an environment's policy."""
    return chaos_gate.get_policy()(call.path["environment"], actor=call.actor)
