"""PUT /api/v1/chaos/policies/{environment}."""

from crosswind.bootstrap import chaos_gate
from crosswind.contracts.chaos.gate import ChaosPolicy, PolicyView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("put_chaos_policy")
def handler(call: ApiCall) -> PolicyView:
    """Store an environment's policy."""
    return chaos_gate.put_policy()(call.path["environment"], call.request(ChaosPolicy), actor=call.actor)
