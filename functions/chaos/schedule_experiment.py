"""POST /api/v1/experiments/{id}/schedule."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import ExperimentView
from crosswind.contracts.chaos.runs import ScheduleRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("schedule_experiment")
def handler(call: ApiCall) -> ExperimentView:
    """Say when it starts by itself."""
    scheduled = chaos.schedule_experiment()(
        call.path["id"], call.request(ScheduleRequest), team=call.query.get("team"), actor=call.actor
    )
    return chaos.show_experiment()(scheduled)
