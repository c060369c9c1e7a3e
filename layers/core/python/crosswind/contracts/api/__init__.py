"""The HTTP API as one table: CDK builds the gateway from it, the OpenAPI document and the tests are derived from it."""

from crosswind.contracts.api import (
    chaos,
    clusters,
    costs,
    frameworks,
    history,
    platform,
    runs,
    schedules,
    suites,
)
from crosswind.contracts.api.routing import Method as Method  # the table's words belong to it
from crosswind.contracts.api.routing import Query as Query
from crosswind.contracts.api.routing import Route as Route

ROUTES: tuple[Route, ...] = (
    *runs.ROUTES,
    *suites.ROUTES,
    *frameworks.ROUTES,
    *clusters.ROUTES,
    *costs.ROUTES,
    *schedules.ROUTES,
    *history.ROUTES,
    *chaos.ROUTES,
    *platform.ROUTES,
)
