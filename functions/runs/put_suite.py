"""PUT /api/v1/suites/{name}."""

from crosswind.bootstrap import documents
from crosswind.contracts.requests import PutSuiteAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("put_suite")
def handler(call: ApiCall) -> PutSuiteAnswer:
    """Store a suite."""
    record, created = documents.put_suite()(call.path["name"], call.body, actor=call.actor)
    return PutSuiteAnswer(name=record.name, team=record.team, digest=record.digest, created=created)
