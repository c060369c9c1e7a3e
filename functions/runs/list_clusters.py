"""GET /api/v1/clusters."""

from crosswind.bootstrap import documents
from crosswind.contracts.cluster_answers import ClusterPage
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("list_clusters")
def handler(call: ApiCall) -> ClusterPage:
    """List clusters."""
    page = documents.list_clusters()(limit=call.limit, cursor=call.cursor, actor=call.actor)
    return ClusterPage(items=page.items, next_cursor=page.cursor)
