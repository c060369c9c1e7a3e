"""Use cases of what runs cost; each made once, at first use."""

from functools import cache
from typing import TYPE_CHECKING

from crosswind.bootstrap import api, stores
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import SystemClock
from crosswind.platform.access import decide
from crosswind.settings import ControlSettings

if TYPE_CHECKING:
    from crosswind.runs.usecases.costing import GetRunCost, PriceRuns
    from crosswind.runs.usecases.team_costs import GetTeamCosts

# ruff: noqa: PLC0415  # a handler pays for the use case that it needs


@cache
def get_run_cost() -> "GetRunCost":
    """GetRunCost."""
    from crosswind.runs.usecases.costing import GetRunCost

    return GetRunCost(find=api.find_run(), price=_price())


@cache
def get_team_costs() -> "GetTeamCosts":
    """GetTeamCosts."""
    from crosswind.runs.usecases.team_costs import GetTeamCosts

    settings = ControlSettings.from_env()
    return GetTeamCosts(
        runs=stores.run_store(settings),
        history=stores.history_store(settings),
        price=_price(),
        guard=Guard(decide),
        clock=SystemClock(),
    )


@cache
def _price() -> "PriceRuns":
    from crosswind.runs.usecases.costing import PriceRuns

    settings = ControlSettings.from_env()
    return PriceRuns(
        works=stores.work_store(settings),
        pods=stores.pod_store(settings),
        artifacts=stores.artifacts(settings),
        clock=SystemClock(),
    )
