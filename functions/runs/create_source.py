"""POST /api/v1/sources."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import CreateSourceAnswer, CreateSourceRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("create_source")
def handler(call: ApiCall) -> CreateSourceAnswer:
    """Announce an archive."""
    return api.create_source()(call.request(CreateSourceRequest), actor=call.actor)
