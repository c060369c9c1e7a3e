"""POST /api/v1/tests/{id}/reruns."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import RerunAccepted, RerunRequest
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("rerun_run")
def handler(call: ApiCall) -> RerunAccepted:
    """Run the failed tests of a finished run again."""
    return api.rerun_run()(call.path["id"], call.request(RerunRequest), actor=call.actor)
