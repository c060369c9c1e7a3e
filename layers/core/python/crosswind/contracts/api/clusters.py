"""Routes of clusters."""

from crosswind.contracts.api.routing import CURSOR, Method, Route
from crosswind.contracts.cluster_answers import ClusterPage, ClusterView, PutClusterAnswer

ROUTES: tuple[Route, ...] = (
    Route(
        method=Method.GET,
        path="/api/v1/clusters",
        area="runs",
        function="list_clusters",
        summary="List the Kubernetes clusters that are known, by name.",
        answer=ClusterPage,
        query=CURSOR,
    ),
    Route(
        method=Method.PUT,
        path="/api/v1/clusters/{name}",
        area="runs",
        function="put_cluster",
        raw_request=True,
        summary="Make a cluster known, or change what is known of it; for administrators.",
        answer=PutClusterAnswer,
    ),
    Route(
        method=Method.GET,
        path="/api/v1/clusters/{name}",
        area="runs",
        function="get_cluster",
        summary="Read what is known of a cluster.",
        answer=ClusterView,
    ),
    Route(
        method=Method.DELETE,
        path="/api/v1/clusters/{name}",
        area="runs",
        function="delete_cluster",
        status=204,
        summary="Forget a cluster; for administrators. What runs there goes on.",
        answer=None,
    ),
)
