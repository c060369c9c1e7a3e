"""POST /api/v1/experiments."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import PutExperimentAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("create_experiment")
def handler(call: ApiCall) -> PutExperimentAnswer:
    """Store a new experiment."""
    stored, created = chaos.put_experiment()(call.body, name=None, actor=call.actor)
    return PutExperimentAnswer(created=created, experiment=chaos.show_experiment()(stored))
