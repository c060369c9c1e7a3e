"""The HTTP API as one table: CDK builds the gateway from it, the OpenAPI document and the tests are derived from it."""

from dataclasses import dataclass
from enum import StrEnum

from crosswind.contracts.base import WireModel
from crosswind.contracts.requests import (
    ArtifactPage,
    CasePage,
    CreateSourceAnswer,
    CreateSourceRequest,
    LogChunk,
    PutSuiteAnswer,
    RunAccepted,
    RunPage,
    RunView,
    StoredSuite,
    SubmitRunRequest,
    SuitePage,
    ValidateAnswer,
    WhoAmI,
)


class Method(StrEnum):
    """HTTP methods in use."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter."""

    name: str
    description: str
    type: str = "string"
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. `function` is the module `functions/<area>/<function>.py` that answers it."""

    method: Method
    path: str
    area: str
    function: str
    summary: str
    answer: type[WireModel] | None
    status: int = 200
    request: type[WireModel] | None = None
    raw_request: bool = False  # the body is a suite as YAML or JSON text
    query: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()
    public: bool = False


_CURSOR = (
    Query("limit", "Items per page, 1 to 200; 50 unless told.", "integer"),
    Query("cursor", "`nextCursor` of the page before."),
)
_TEAM = Query("team", "The team; needed when you are in more than one.")

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.POST,
        path="/api/v1/tests",
        area="runs",
        function="submit_run",
        status=202,
        summary="Submit a run of a suite, given whole or by name.",
        request=SubmitRunRequest,
        answer=RunAccepted,
        headers=(
            Query(
                "Idempotency-Key", "Repeat a request safely: the same key gives the same run for 24 hours."
            ),
        ),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests",
        area="runs",
        function="list_runs",
        summary="List runs, newest first.",
        answer=RunPage,
        query=(
            _TEAM,
            Query("suite", "Only runs of this suite."),
            Query("state", "Only runs in this state."),
            Query("verdict", "Only runs with this verdict."),
            *_CURSOR,
        ),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}",
        area="runs",
        function="get_run",
        summary="State, stage, counts, verdict and why.",
        answer=RunView,
        query=(Query("detail", "true: also each shard.", "boolean"),),
    ),
    Route(
        method=Method.DELETE,
        path="/api/v1/tests/{id}",
        area="runs",
        function="cancel_run",
        status=202,
        summary="Cancel: stops what runs, frees what waits. Repeating it is no error.",
        answer=RunView,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/results",
        area="runs",
        function="list_results",
        summary="Test cases, failed first.",
        answer=CasePage,
        query=(Query("status", "Only cases with this status."), *_CURSOR),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/artifacts",
        area="runs",
        function="list_artifacts",
        summary="Uploaded files with links.",
        answer=ArtifactPage,
        query=(Query("workId", "Only files of this shard."), *_CURSOR),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/tests/{id}/logs",
        area="runs",
        function="read_logs",
        summary="One shard's log from an offset.",
        answer=LogChunk,
        query=(
            Query("workId", "The shard or preparation, such as shard-00003."),
            Query("offset", "Byte offset to read from; 0 unless told.", "integer"),
        ),
    ),
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
        query=(_TEAM, *_CURSOR),
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
        query=(_TEAM,),
    ),
    Route(
        method=Method.DELETE,
        path="/api/v1/suites/{name}",
        area="runs",
        function="delete_suite",
        status=204,
        summary="Delete a stored suite; its runs stay.",
        answer=None,
        query=(_TEAM,),
    ),
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
)
