"""DELETE /api/v1/quarantines."""

from crosswind.bootstrap import api
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("delete_quarantine")
def handler(call: ApiCall) -> None:
    """Take a test out of quarantine."""
    api.delete_quarantine()(
        team=call.query.get("team"),
        suite=call.required("suite"),
        test=call.required("test"),
        name=call.required("name"),
        actor=call.actor,
    )
