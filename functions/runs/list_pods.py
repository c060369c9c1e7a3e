"""GET /api/v1/tests/{id}/pods."""

from crosswind.bootstrap import api
from crosswind.contracts.pods import PodList
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_pods")
def handler(call: ApiCall) -> PodList:
    """List a run's pods."""
    return api.list_pods()(call.path["id"], work_id=call.query.get("workId"), actor=call.actor)
