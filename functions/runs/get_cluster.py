"""GET /api/v1/clusters/{name}."""

from crosswind.bootstrap import documents
from crosswind.contracts.cluster_answers import ClusterView
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("get_cluster")
def handler(call: ApiCall) -> ClusterView:
    """Read a cluster."""
    return documents.get_cluster()(call.path["name"], actor=call.actor)
