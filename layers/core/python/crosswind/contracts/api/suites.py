"""Routes of sources and suites."""

from crosswind.contracts.api.routing import CURSOR, TEAM, Method, Route
from crosswind.contracts.requests import (
    CreateSourceAnswer,
    CreateSourceRequest,
    PutSuiteAnswer,
    StoredSuite,
    SuitePage,
    ValidateAnswer,
)

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.POST,
        path="/api/v1/sources",
        area="runs",
        function="create_source",
        status=200,
        summary="Announce an archive and get a link to upload it, unless it is there.",
        request=CreateSourceRequest,
        answer=CreateSourceAnswer,
    ),
    Route(
        method=Method.POST,
        path="/api/v1/validations",
        area="runs",
        function="validate_suite",
        summary="Check a suite without running it.",
        raw_request=True,
        answer=ValidateAnswer,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/suites",
        area="runs",
        function="list_suites",
        summary="List stored suites.",
        answer=SuitePage,
        query=(TEAM, *CURSOR),
    ),
    Route(
        method=Method.PUT,
        path="/api/v1/suites/{name}",
        area="runs",
        function="put_suite",
        raw_request=True,
        summary="Store or replace a suite.",
        answer=PutSuiteAnswer,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/suites/{name}",
        area="runs",
        function="get_suite",
        summary="Read a stored suite.",
        answer=StoredSuite,
        query=(TEAM,),
    ),
    Route(
        method=Method.DELETE,
        path="/api/v1/suites/{name}",
        area="runs",
        function="delete_suite",
        status=204,
        summary="Delete a stored suite; its runs stay.",
        answer=None,
        query=(TEAM,),
    ),
)
