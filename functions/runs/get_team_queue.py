"""GET /api/v1/teams/{team}/queue."""

from crosswind.bootstrap import api
from crosswind.contracts.queueing import TeamQueueView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_team_queue")
def handler(call: ApiCall) -> TeamQueueView:
    """A team's part of the capacity."""
    return api.get_team_queue()(call.path["team"], actor=call.actor)
