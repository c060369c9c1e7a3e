"""PUT /api/v1/teams/{team}/queue."""

from crosswind.bootstrap import api
from crosswind.contracts.queueing import PutTeamQueueRequest, TeamQueueView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("put_team_queue")
def handler(call: ApiCall) -> TeamQueueView:
    """Set a team's part of the capacity."""
    request = call.request(PutTeamQueueRequest)
    return api.put_team_queue()(call.path["team"], request, actor=call.actor)
