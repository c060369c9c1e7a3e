"""GET /api/v1/tests/{id}/logs."""

from crosswind.bootstrap import api
from crosswind.contracts.live import Stream
from crosswind.contracts.requests import LogChunk
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("read_logs")
def handler(call: ApiCall) -> LogChunk:
    """Read a piece of one log."""
    return api.read_logs()(
        call.path["id"],
        work_id=call.required("workId"),
        offset=call.integer("offset", default=0),
        stream=call.choice("stream", Stream) or Stream.LOG,
        attempt=call.query.get("attempt"),
        actor=call.actor,
    )
