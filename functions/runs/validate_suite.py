"""POST /api/v1/validations."""

from crosswind.bootstrap import api
from crosswind.contracts.requests import ValidateAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("validate_suite")
def handler(call: ApiCall) -> ValidateAnswer:
    """Check a suite."""
    return ValidateAnswer(valid=True, tests=api.validate_suite()(call.body, actor=call.actor))
