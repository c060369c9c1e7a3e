"""POST /api/v1/tests/{id}/watch."""

from crosswind.bootstrap import api
from crosswind.contracts.live import WatchRequest, WatchView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("watch_live")
def handler(call: ApiCall) -> WatchView:
    """Mark a run as watched."""
    return api.watch_live()(call.path["id"], call.request(WatchRequest), actor=call.actor)
