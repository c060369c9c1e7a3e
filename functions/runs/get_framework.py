"""GET /api/v1/frameworks/{name}."""

from crosswind.bootstrap import api
from crosswind.contracts.framework_answers import FrameworkView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_framework")
def handler(call: ApiCall) -> FrameworkView:
    """Read a framework."""
    return api.get_framework()(call.path["name"], team=call.query.get("team"), actor=call.actor)
