"""GET /api/v1/experiment-templates."""

from crosswind.bootstrap import chaos
from crosswind.contracts.chaos.definitions import TemplateList
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_experiment_templates")
def handler(call: ApiCall) -> TemplateList:
    """List templates, or read one."""
    return chaos.list_templates()(call.query.get("name"))
