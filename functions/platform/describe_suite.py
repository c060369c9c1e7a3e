"""GET /api/v1/schemas/test-suite.json."""

from crosswind.edge.api_handler import Answer, ApiCall, api_handler
from crosswind.edge.documents import SUITE_SCHEMA, stored


@api_handler("describe_suite")
def handler(call: ApiCall) -> Answer:  # noqa: ARG001  # a public document, the same for everyone
    """The suite's JSON Schema, as it was written at build time."""
    return Answer(text=stored(SUITE_SCHEMA))
