"""GET /api/v1/chaos/policies."""

from crosswind.bootstrap import chaos_gate
from crosswind.contracts.chaos.gate import PolicyList
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_chaos_policies")
def handler(call: ApiCall) -> PolicyList:
    """List the stored policies."""
    return chaos_gate.list_policies()(actor=call.actor)
