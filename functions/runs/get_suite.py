"""GET /api/v1/suites/{name}."""

from crosswind.bootstrap import documents
from crosswind.contracts.requests import StoredSuite
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.kernel.clock import to_iso


@api_handler("get_suite")
def handler(call: ApiCall) -> StoredSuite:
    """Read a stored suite."""
    record = documents.get_suite()(call.path["name"], team=call.query.get("team"), actor=call.actor)
    return StoredSuite(
        name=record.name,
        team=record.team,
        digest=record.digest,
        updated_at=to_iso(record.updated_at),
        updated_by=record.updated_by,
        spec=record.spec,
    )
