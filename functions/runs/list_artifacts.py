"""GET /api/v1/tests/{id}/artifacts."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import ArtifactPage
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_artifacts")
def handler(call: ApiCall) -> ArtifactPage:
    """List uploaded files."""
    return api.list_artifacts()(
        call.path["id"],
        work_id=call.query.get("workId"),
        limit=call.limit,
        cursor=call.cursor,
        actor=call.actor,
    )
