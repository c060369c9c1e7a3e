"""PUT /api/v1/experiments/{id}."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import PutExperimentAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("put_experiment")
def handler(call: ApiCall) -> PutExperimentAnswer:
    """Store or edit an experiment."""
    stored, created = chaos.put_experiment()(call.body, name=call.path["id"], actor=call.actor)
    return PutExperimentAnswer(created=created, experiment=chaos.show_experiment()(stored))
