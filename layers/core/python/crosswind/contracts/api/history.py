"""Routes of the tests' history and quarantine."""

from crosswind.contracts.api.routing import TEAM, Method, Query, Route
from crosswind.contracts.history import (
    FlakyList,
    PutQuarantineAnswer,
    PutQuarantineRequest,
    QuarantineList,
    TestHistoryList,
)

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.GET,
        path="/api/v1/flaky",
        area="runs",
        function="list_flaky",
        summary="Tests that are flaky or broken now, and why.",
        answer=FlakyList,
        query=(TEAM, Query("suite", "Only tests of this suite.")),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/history",
        area="runs",
        function="get_test_history",
        summary="What one test has been through, in each of its variants.",
        answer=TestHistoryList,
        query=(
            TEAM,
            Query("suite", "The suite; required."),
            Query("name", "The test as its framework calls it."),
            Query("id", "Or its id, as results give it."),
        ),
    ),
    Route(
        method=Method.GET,
        path="/api/v1/quarantines",
        area="runs",
        function="list_quarantines",
        summary="List quarantined tests, also those that expired in the last 30 days.",
        answer=QuarantineList,
        query=(TEAM, Query("suite", "Only tests of this suite.")),
    ),
    Route(
        method=Method.PUT,
        path="/api/v1/quarantines",
        area="runs",
        function="put_quarantine",
        summary="Put a test into quarantine, or change its quarantine. It ends by itself.",
        request=PutQuarantineRequest,
        answer=PutQuarantineAnswer,
    ),
    Route(
        method=Method.DELETE,
        path="/api/v1/quarantines",
        area="runs",
        function="delete_quarantine",
        status=204,
        summary="Take a test out of quarantine: it gates again at once.",
        answer=None,
        query=(
            TEAM,
            Query("suite", "The suite; required."),
            Query("test", "The suite's test job; required."),
            Query("name", "The test as its framework calls it; required."),
        ),
    ),
)
