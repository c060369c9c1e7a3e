"""Clusters that are known, connected: documents from the registry, credentials from where each says."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crosswind.adapters.kubernetes.calls import ApiServer, ClientCertificate
from crosswind.adapters.kubernetes.eks import EksToken
from crosswind.adapters.kubernetes.jobs import KubernetesJobs
from crosswind.contracts.clusters import Cluster, ClusterRole, EksConnection, ServerConnection
from crosswind.kernel.clock import Clock, SystemClock
from crosswind.kernel.errors import CrosswindError, NotFoundError
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.pods.ports import ClusterError, ConnectedCluster

if TYPE_CHECKING:
    from botocore.session import Session

KNOWN_FOR = timedelta(seconds=30)
"""How long a cluster's document and credentials are kept: a change of them takes effect so soon."""


@dataclass(frozen=True, slots=True)
class _Held:
    read_at: datetime
    credentials: Mapping[str, str]
    connected: ConnectedCluster


@dataclass
class StoredClusters:
    """Clusters of the registry. What one of them does not accept is read anew for the next call."""

    read: Callable[[str], Cluster | None]
    read_all: Callable[[], Sequence[Cluster]]
    secret: Callable[[str], str]
    session: "Callable[[], Session]"
    clock: Clock = field(default_factory=SystemClock)
    _held: dict[str, _Held] = field(default_factory=dict, init=False)

    def connect(self, name: str) -> ConnectedCluster:
        held = self._held.get(name)
        now = self.clock.now()
        if held is not None and now - held.read_at < KNOWN_FOR:
            return held.connected
        cluster = self._read(name)
        if cluster is None or cluster.spec.role is ClusterRole.APPLICATION:
            raise ClusterError(
                f"there is no cluster {name} for tests; `crosswind clusters list` has those that are known",
                reason=InfrastructureReason.CLUSTER_MISSING,
                passing=False,
            )
        credentials = self._credentials(name, cluster.spec.connection)
        if held is not None and (held.connected.spec, held.credentials) == (cluster.spec, credentials):
            connected = held.connected
        else:
            connected = ConnectedCluster(
                name, cluster.spec, KubernetesJobs(self._server(cluster, credentials))
            )
        self._held[name] = _Held(now, credentials, connected)
        return connected

    def names(self) -> Sequence[str]:
        return [
            each.metadata.name for each in self.read_all() if each.spec.role is not ClusterRole.APPLICATION
        ]

    def _read(self, name: str) -> Cluster | None:
        try:
            return self.read(name)
        except CrosswindError as error:
            raise ClusterError(
                f"what is known of cluster {name} cannot be read: {error}",
                reason=InfrastructureReason.STORAGE_UNAVAILABLE,
                passing=True,
            ) from error

    def _server(self, cluster: Cluster, credentials: Mapping[str, str]) -> ApiServer:
        connection = cluster.spec.connection
        name = cluster.metadata.name

        def forget() -> None:
            self._held.pop(name, None)

        if isinstance(connection, EksConnection):
            return ApiServer(
                connection.endpoint,
                headers=EksToken(self.session(), connection.name, connection.region),
                certificate_authority=connection.certificate_authority,
                unauthorized=forget,
            )
        return _server(connection, credentials, forget)

    def _credentials(self, name: str, connection: EksConnection | ServerConnection) -> Mapping[str, str]:
        """Nothing for EKS: there the caller's own role is."""
        if isinstance(connection, EksConnection):
            return {}
        try:
            given = json.loads(self.secret(connection.secret))
        except (NotFoundError, ValueError) as error:
            raise ClusterError(
                f"the credentials of cluster {name} cannot be read from secret {connection.secret}: {error}",
                reason=InfrastructureReason.SECRET_MISSING,
                passing=False,
            ) from error
        except CrosswindError as error:
            raise ClusterError(
                str(error), reason=InfrastructureReason.STORAGE_UNAVAILABLE, passing=True
            ) from error
        return given if isinstance(given, dict) else {}


def _server(
    connection: ServerConnection, credentials: Mapping[str, str], forget: Callable[[], None]
) -> ApiServer:
    token = credentials.get("token")
    certificate = None
    if credentials.get("clientCertificate") and credentials.get("clientKey"):
        certificate = ClientCertificate(credentials["clientCertificate"], credentials["clientKey"])
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return ApiServer(
        connection.endpoint,
        headers=lambda: headers,
        certificate_authority=connection.certificate_authority,
        server_name=connection.server_name,
        client_certificate=certificate,
        unauthorized=forget,
    )
