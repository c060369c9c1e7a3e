"""GET /api/v1/costs."""

from crosswind.bootstrap import costs
from crosswind.contracts.costs import DEFAULT_DAYS, TeamCosts
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_team_costs")
def handler(call: ApiCall) -> TeamCosts:
    """What a team's runs have cost."""
    return costs.get_team_costs()(
        team=call.query.get("team"),
        days=call.integer("days", default=DEFAULT_DAYS),
        suite=call.query.get("suite"),
        test=call.query.get("test"),
        actor=call.actor,
    )
