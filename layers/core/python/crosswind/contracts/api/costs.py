"""Routes of what runs cost."""

from crosswind.contracts.api.routing import TEAM, Method, Query, Route
from crosswind.contracts.costs import CostGrouping, RunCost, TeamCosts

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/cost",
        area="runs",
        function="get_run_cost",
        summary="What a run has cost, by test job, shard or test; start-up, lost attempts and control plane apart.",
        answer=RunCost,
        query=(Query("by", "What else is listed; job unless told.", enum=tuple(map(str, CostGrouping))),),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/costs",
        area="runs",
        function="get_team_costs",
        summary="What a team's finished runs have cost, by suite, and which test jobs ask for a size that does not fit.",
        answer=TeamCosts,
        query=(
            TEAM,
            Query("days", "Runs of so many days, 1 to 365; 30 unless told.", "integer"),
            Query("suite", "Only runs of this suite."),
            Query("test", "Also what this test has cost, named as its framework calls it."),
        ),
    ),
)
