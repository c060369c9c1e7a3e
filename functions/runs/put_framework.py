"""PUT /api/v1/frameworks/{name}."""

from crosswind.bootstrap import api
from crosswind.contracts.framework_answers import PutFrameworkAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("put_framework")
def handler(call: ApiCall) -> PutFrameworkAnswer:
    """Store a framework."""
    record, created = api.put_framework()(call.path["name"], call.body, actor=call.actor)
    return PutFrameworkAnswer(name=record.name, team=record.team, digest=record.digest, created=created)
