"""DELETE /api/v1/clusters/{name}."""

from crosswind.bootstrap import documents
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("delete_cluster")
def handler(call: ApiCall) -> None:
    """Forget a cluster."""
    documents.delete_cluster()(call.path["name"], actor=call.actor)
