"""What a bundle is made from: the cluster's own document, and what only its operator knows."""

from dataclasses import dataclass

from crosswind.contracts.clusters import CapacityKind, CapacityOffer, Cluster, ClusterSpec, EksConnection
from crosswind.runs.pods.naming import namespace_of

PART_OF = {"app.kubernetes.io/part-of": "crosswind", "app.kubernetes.io/managed-by": "crosswind"}
LAUNCHER = "crosswind-launcher"
OBSERVER = "crosswind-observer"
CONTROLLER = "crosswind-controller"
TEAM_LABEL = "crosswind.dev/team"
POD_SECURITY_VERSION = "v1.34"
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Flow:
    """Where pods of tests may connect to over TCP; None: every port."""

    cidr: str
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksSettings:
    """What the manifests of an EKS cluster need beyond its document; an output of the compute stack each."""

    node_role: str = ""
    """Name of the IAM role of Auto Mode's nodes; empty: no node pools are made."""

    subnets: tuple[str, ...] = ()
    node_security_groups: tuple[str, ...] = ()
    pod_security_groups: tuple[str, ...] = ()
    """Of pods on Fargate, where NetworkPolicy is not enforced; none: no SecurityGroupPolicy."""

    log_group: str = ""
    """Where pods on Fargate log to; empty: nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerOptions:
    """The in-cluster controller, where it is wanted."""

    image: str
    endpoint: str
    """Of the API."""

    role_arn: str = ""
    """Its IAM role (IRSA), where it watches pods on EKS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleOptions:
    """All that a bundle is made from."""

    cluster: Cluster
    teams: tuple[str, ...]
    https_to: tuple[str, ...] = (ANYWHERE,)
    """Where HTTPS may go: everywhere, or the addresses of the endpoints."""

    flows: tuple[Flow, ...] = ()
    """Further connections, such as to what is tested."""

    eks: EksSettings = EksSettings()
    controller: ControllerOptions | None = None

    @property
    def spec(self) -> ClusterSpec:
        """Of the cluster."""
        return self.cluster.spec

    @property
    def on_eks(self) -> bool:
        """Whether it is an EKS cluster."""
        return isinstance(self.spec.connection, EksConnection)

    def namespace(self, team: str) -> str:
        """A team's namespace."""
        return namespace_of(self.spec.namespace_prefix, team)

    def offer(self, kind: CapacityKind) -> CapacityOffer | None:
        """The cluster's offer of a kind."""
        return next((each for each in self.spec.capacity if each.kind is kind), None)
