"""GET /api/v1/whoami."""

from crosswind import __version__
from crosswind.contracts.requests import WhoAmI
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("whoami")
def handler(call: ApiCall) -> WhoAmI:
    """Who the token says you are."""
    return WhoAmI(actor=call.actor, stage=call.stage, version=__version__)
