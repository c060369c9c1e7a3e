"""What the API answers about clusters."""

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.clusters import Cluster


class PutClusterAnswer(WireModel):
    """PUT /api/v1/clusters/{name}."""

    name: str
    digest: str
    created: bool = Field(description="False: one of that name was replaced.")


class ClusterView(WireModel):
    """One cluster. It holds no credentials, only the name of their secret."""

    cluster: Cluster
    updated_at: str
    updated_by: str


class ClusterPage(WireModel):
    """A page of clusters, by name."""

    items: tuple[ClusterView, ...]
    next_cursor: str | None = None
