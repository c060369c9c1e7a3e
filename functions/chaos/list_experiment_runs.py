"""GET /api/v1/experiments/{id}/runs."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.lifecycle import RunState
from crosswind.contracts.chaos.runs import ExperimentRunPage
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_experiment_runs")
def handler(call: ApiCall) -> ExperimentRunPage:
    """List runs."""
    page = chaos.list_experiment_runs()(
        call.path["id"],
        team=call.query.get("team"),
        service=call.query.get("service"),
        state=call.choice("state", RunState),
        limit=call.limit,
        cursor=call.cursor,
        actor=call.actor,
    )
    return ExperimentRunPage(items=page.items, next_cursor=page.cursor)
