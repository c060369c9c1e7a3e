"""Routes of frameworks."""

from crosswind.contracts.api.routing import CURSOR, TEAM, Method, Route
from crosswind.contracts.framework_answers import FrameworkPage, FrameworkView, PutFrameworkAnswer

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.GET,
        path="/api/v1/frameworks",
        area="runs",
        function="list_frameworks",
        summary="List frameworks: the built-in ones and the team's own.",
        answer=FrameworkPage,
        query=(TEAM, *CURSOR),
    ),
    Route(
        method=Method.PUT,
        path="/api/v1/frameworks/{name}",
        area="runs",
        function="put_framework",
        raw_request=True,
        summary="Store or replace a team's framework.",
        answer=PutFrameworkAnswer,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/frameworks/{name}",
        area="runs",
        function="get_framework",
        summary="Read a framework.",
        answer=FrameworkView,
        query=(TEAM,),
    ),
    Route(
        method=Method.DELETE,
        path="/api/v1/frameworks/{name}",
        area="runs",
        function="delete_framework",
        status=204,
        summary="Delete a team's framework; runs that use it keep it.",
        answer=None,
        query=(TEAM,),
    ),
)
