"""DELETE /api/v1/suites/{name}."""

from crosswind.bootstrap import documents
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("delete_suite")
def handler(call: ApiCall) -> None:
    """Delete a stored suite."""
    documents.delete_suite()(call.path["name"], team=call.query.get("team"), actor=call.actor)
