"""Routes of the platform itself."""

from crosswind.contracts.api.routing import Method, Route
from crosswind.contracts.requests import WhoAmI

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.GET,
        path="/api/v1/whoami",
        area="platform",
        function="whoami",
        summary="Who the token says you are.",
        answer=WhoAmI,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/openapi.json",
        area="platform",
        function="describe_api",
        summary="This API as OpenAPI 3.1.",
        answer=None,
        public=True,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/schemas/test-suite.json",
        area="platform",
        function="describe_suite",
        summary="JSON Schema of a suite, for editors.",
        answer=None,
        public=True,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/schemas/chaos-experiment.json",
        area="platform",
        function="describe_experiment",
        summary="JSON Schema of a chaos experiment, for editors.",
        answer=None,
        public=True,
    ),
)
