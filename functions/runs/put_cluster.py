"""PUT /api/v1/clusters/{name}."""

from crosswind.bootstrap import documents
from crosswind.contracts.cluster_answers import PutClusterAnswer
from crosswind.edge.api_handler import ApiCall, api_handler


@api_handler("put_cluster")
def handler(call: ApiCall) -> PutClusterAnswer:
    """Make a cluster known."""
    record, created = documents.put_cluster()(call.path["name"], call.body, actor=call.actor)
    return PutClusterAnswer(name=record.name, digest=record.digest, created=created)
