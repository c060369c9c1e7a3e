"""A Kubernetes cluster that pods of tests run on: `apiVersion: crosswind.dev/v1`, `kind: Cluster`.

Credentials are never part of it: an EKS cluster is reached with the launcher's own role, any other one with a secret
that is named here.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.durations import Duration
from crosswind.contracts.suites import Name, Team

ClusterName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")]
LabelText = Annotated[str, StringConstraints(max_length=253)]
Registry = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._:/-]{0,254}$")]

DEFAULT_PENDING = "4m"
DEFAULT_SPOT_PERCENT = 70


class ClusterRole(StrEnum):
    """What a cluster is for."""

    TEST = "test"  # pods of tests
    PLATFORM = "platform"  # Crosswind's own parts
    APPLICATION = "application"  # what is tested and broken; no test pod runs there


class EksConnection(WireModel):
    """An EKS cluster, reached with the caller's AWS role."""

    kind: Literal["eks"] = "eks"
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    endpoint: Annotated[str, StringConstraints(pattern=r"^https://", max_length=512)]
    certificate_authority: str = Field(max_length=16_384, description="PEM.")


class ServerConnection(WireModel):
    """Any cluster: its address, and the name of the secret with the credentials."""

    kind: Literal["server"] = "server"
    endpoint: Annotated[str, StringConstraints(pattern=r"^https://", max_length=512)]
    certificate_authority: str | None = Field(
        default=None, max_length=16_384, description="PEM; None: a public authority signed the certificate."
    )
    server_name: str | None = Field(
        default=None,
        max_length=253,
        description="The name in the certificate, where it is another than the address.",
    )
    secret: Name = Field(
        description="Of Secrets Manager below `crosswind-clusters/<stage>/`: JSON, {token} or {clientCertificate, clientKey} as PEM."
    )


Connection = Annotated[EksConnection | ServerConnection, Field(discriminator="kind")]


class CapacityKind(StrEnum):
    """What a pod's machine is, as far as prices and interruptions go."""

    SPOT = "spot"  # may be reclaimed within two minutes
    FARGATE = "fargate"  # a machine for each pod
    ON_DEMAND = "onDemand"
    NODES = "nodes"  # whatever the cluster's nodes are


class Toleration(WireModel):
    """As in a pod."""

    key: LabelText
    operator: Literal["Exists", "Equal"] = "Exists"
    value: LabelText | None = None
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] | None = None


class CapacityOffer(WireModel):
    """One way that the cluster can run a pod. The order of a cluster's offers is the order of its fallbacks."""

    kind: CapacityKind
    node_selector: dict[LabelText, LabelText] = Field(default={}, max_length=10)
    tolerations: tuple[Toleration, ...] = Field(default=(), max_length=10)
    labels: dict[LabelText, LabelText] = Field(
        default={}, max_length=10, description="Of the pod: what a Fargate profile selects by."
    )
    max_cpu_millis: int | None = Field(default=None, gt=0, description="The largest pod it takes.")
    max_memory_mib: int | None = Field(default=None, gt=0)


class ImagesSpec(WireModel):
    """Where a framework's image comes from."""

    registry: Registry | None = Field(
        default=None, description="Prefix of the built-in frameworks' images, such as an ECR address."
    )
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")] = "latest"
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"


class RunnerSpec(WireModel):
    """Who the agent is in its pod. The tests beside it are nobody."""

    service_account: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")] = (
        "crosswind-runner"
    )
    role_arn: str | None = Field(
        default=None,
        max_length=512,
        description="IAM role of the service account (IRSA); {team} stands for the team.",
    )
    credentials_secret: Annotated[str, StringConstraints(max_length=253)] | None = Field(
        default=None,
        description="A Kubernetes secret in each team's namespace with the agent's environment, where there is no IRSA.",
    )
    env: dict[str, Annotated[str, StringConstraints(max_length=4096)]] = Field(
        default={}, max_length=50, description="Further environment of the agent, such as an endpoint."
    )


class ClusterLimits(WireModel):
    """What the cluster may be asked for."""

    pods: int | None = Field(default=None, ge=1, le=100_000, description="Test pods at once.")
    launches_per_second: float = Field(
        default=20.0, gt=0, le=1000, description="EKS on Fargate starts 20 pods a second."
    )
    team_pods: int = Field(default=1000, ge=1, le=100_000, description="ResourceQuota of a team's namespace.")
    team_cpu: int = Field(default=2000, ge=1, description="vCPUs of a team's namespace.")
    team_memory_gib: int = Field(default=8000, ge=1)


class ClusterSpec(WireModel):
    """What the control plane must know of a cluster."""

    description: str = Field(default="", max_length=1000)
    role: ClusterRole = ClusterRole.TEST
    connection: Connection
    teams: tuple[Team, ...] = Field(
        default=(),
        max_length=200,
        description="Whose shards run here unless a suite names another; none: everybody may.",
    )
    namespace_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,19})$")] = "crosswind-"
    capacity: tuple[CapacityOffer, ...] = Field(
        default=(CapacityOffer(kind=CapacityKind.NODES),), min_length=1, max_length=8
    )
    spot_percent: int = Field(
        default=DEFAULT_SPOT_PERCENT,
        ge=0,
        le=100,
        description="Of the work that may be interrupted, where Spot is offered.",
    )
    pending: Duration = Field(
        default=DEFAULT_PENDING,
        description="A pod that has not started by then is made again, then moved to the next offer.",
    )
    images: ImagesSpec = ImagesSpec()
    runner: RunnerSpec = RunnerSpec()
    limits: ClusterLimits = ClusterLimits()


class ClusterMetadata(WireModel):
    """How the cluster is called."""

    name: ClusterName
    labels: dict[
        Annotated[str, StringConstraints(max_length=63)], Annotated[str, StringConstraints(max_length=63)]
    ] = Field(default={}, max_length=32)


class Cluster(WireModel):
    """A cluster."""

    api_version: Literal["crosswind.dev/v1"]
    kind: Literal["Cluster"]
    metadata: ClusterMetadata
    spec: ClusterSpec
