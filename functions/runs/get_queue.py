"""GET /api/v1/queue."""

from crosswind.bootstrap import api
from crosswind.contracts.queueing import QueueView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_queue")
def handler(call: ApiCall) -> QueueView:
    """The queue as a team sees it."""
    return api.get_queue()(team=call.query.get("team"), actor=call.actor)
