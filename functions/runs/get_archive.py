"""GET /api/v1/tests/{id}/artifacts/archive."""

from crosswind.bootstrap import api
from crosswind.contracts.archives import ArchiveState
from crosswind.contracts.work import FileClass
from crosswind.edge.api_handler import Answer, ApiCall, api_handler
from crosswind.runs.usecases.reading_artifacts import FileFilter

_ASK_AGAIN_SECONDS = "2"


@api_handler("get_archive")
def handler(call: ApiCall) -> Answer:
    """The archive: 200 with its link, or 202 while it is built."""
    view = api.get_archive()(
        call.path["id"],
        wanted=FileFilter(
            work_id=call.query.get("workId"),
            file_class=call.choice("class", FileClass),
            failed=call.boolean("failed"),
            case=call.query.get("case"),
        ),
        actor=call.actor,
    )
    if view.state is ArchiveState.BUILDING:
        return Answer(view, status=202, headers={"Retry-After": _ASK_AGAIN_SECONDS})
    return Answer(view)
