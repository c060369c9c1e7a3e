"""GET /api/v1/schemas/chaos-experiment.json."""

from crosswind.edge.api_handler import Answer, ApiCall, api_handler
from crosswind.edge.documents import EXPERIMENT_SCHEMA, stored


@api_handler("describe_experiment")
def handler(call: ApiCall) -> Answer:  # noqa: ARG001  # a public document, the same for everyone
    """The experiment's JSON Schema, as it was written at build time."""
    return Answer(text=stored(EXPERIMENT_SCHEMA))
