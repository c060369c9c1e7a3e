"""GET /api/v1/openapi.json."""

from crosswind.edge.api_handler import Answer, ApiCall, api_handler
from crosswind.edge.documents import OPENAPI, stored


@api_handler("describe_api")
def handler(call: ApiCall) -> Answer:  # noqa: ARG001  # a public document, the same for everyone
    """The API's description, as it was written at build time."""
    return Answer(text=stored(OPENAPI))
