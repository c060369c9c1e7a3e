"""POST /api/v1/experiment-validations."""

from crosswind.bootstrap import chaos
from crosswind.chaos.specs import spec_digest
from crosswind.contracts.chaos.definitions import ValidateExperimentAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("validate_experiment")
def handler(call: ApiCall) -> ValidateExperimentAnswer:
    """Check an experiment without storing it."""
    experiment = chaos.validate_experiment()(call.body, actor=call.actor)
    return ValidateExperimentAnswer(valid=True, digest=spec_digest(experiment.spec))
