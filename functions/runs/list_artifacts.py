"""GET /api/v1/tests/{id}/artifacts."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import ArtifactPage
from crosswind.contracts.work import FileClass
from crosswind.edge.api_handler import ApiCall, api_handler
from crosswind.runs.usecases.reading_artifacts import FileFilter


@api_handler("list_artifacts")
def handler(call: ApiCall) -> ArtifactPage:
    """List uploaded files."""
    return api.list_artifacts()(
        call.path["id"],
        wanted=FileFilter(
            work_id=call.query.get("workId"),
            file_class=call.choice("class", FileClass),
            failed=call.boolean("failed"),
            case=call.query.get("case"),
        ),
        pages=call.boolean("pages"),
        limit=call.limit,
        cursor=call.cursor,
        actor=call.actor,
    )
