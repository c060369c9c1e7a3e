"""POST /api/v1/validations."""

from crosswind.bootstrap import documents
from crosswind.contracts.requests import ValidateAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("validate_suite")
def handler(call: ApiCall) -> ValidateAnswer:
    """Check a suite."""
    return ValidateAnswer(valid=True, tests=documents.validate_suite()(call.body, actor=call.actor))
