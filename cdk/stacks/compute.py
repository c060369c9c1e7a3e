"""Where pods of tests run: network, EKS cluster, images, and the roles of teams' agents. Only outside laptops."""

from aws_cdk import Annotations, CfnOutput, Fn, Stack, aws_ec2, aws_iam
from constructs import Construct

from cdk.constructs.eks_cluster import EksCluster, EksClusterProps
from cdk.constructs.image_registry import ImageRegistry, ImageRegistryProps
from cdk.constructs.network import ZONES, Network, NetworkProps
from cdk.constructs.team_roles import TeamRoles, TeamRolesProps
from cdk.stacks.platform import PlatformStack
from cdk.stacks.runs import RunsStack
from cdk.stages import Compute, Stage, Surroundings
from crosswind.runs.clusters.bundle.options import LAUNCHER, OBSERVER


class ComputeStack(Stack):
    """Other stacks take the network, and have their roles let in."""

    vpc: aws_ec2.Vpc
    private_subnets: list[aws_ec2.ISubnet]
    launcher_security_group: aws_ec2.SecurityGroup
    network: Network
    eks: EksCluster
    images: ImageRegistry
    teams: TeamRoles

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        compute: Compute,
        surroundings: Surroundings,
        platform: PlatformStack,
        runs: RunsStack,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        key = platform.key
        self.network = Network(self, "Network", props=NetworkProps(stage=stage, compute=compute, key=key))
        self.vpc = self.network.vpc
        self.private_subnets = self.network.private_subnets
        self.launcher_security_group = self.network.launcher
        self.images = ImageRegistry(
            self, "Images", props=ImageRegistryProps(stage=stage, compute=compute, key=key)
        )
        cluster = EksClusterProps(
            stage=stage,
            compute=compute,
            key=key,
            network=self.network,
            admins=_listed(surroundings.cluster_admins),
        )
        self.eks = EksCluster(self, "Eks", props=cluster)
        roles = TeamRolesProps(
            stage=stage, cluster=self.eks, policy=runs.runner_policy, teams=_listed(surroundings.teams)
        )
        self.teams = TeamRoles(self, "Teams", props=roles)
        self._warn(surroundings)
        self._add_outputs()

    @property
    def availability_zones(self) -> list[str]:
        """The region's first three. A stack of no certain account would otherwise have two."""
        return [Fn.select(index, Fn.get_azs()) for index in range(ZONES)]

    def let_launch(self, role: aws_iam.IRole) -> None:
        """Let a role make Jobs in the teams' namespaces, and see and delete them."""
        self.eks.let_as(role, [LAUNCHER])

    def let_observe(self, role: aws_iam.IRole) -> None:
        """Let a role do the same, and list the Jobs and pods of all teams at once."""
        self.eks.let_as(role, [LAUNCHER, OBSERVER])

    def _warn(self, surroundings: Surroundings) -> None:
        if not surroundings.cluster_admins:
            Annotations.of(self).add_warning_v2(
                "crosswind:no-cluster-admin",
                "Nobody administers the cluster, so the bundle cannot be applied: -c clusterAdmins=ROLE_ARN",
            )

    def _add_outputs(self) -> None:
        """What `crosswind clusters add` and `clusters render` ask for (docs/clusters.md)."""
        subnets = [each.subnet_id for each in self.private_subnets]
        settings = {
            "nodeRole": self.eks.node_role.role_name,
            "subnets": subnets,
            "nodeSecurityGroups": [self.eks.cluster.attr_cluster_security_group_id],
            "podSecurityGroups": [self.network.pods.security_group_id],
            "logGroup": self.eks.pod_logs.log_group_name,
        }
        outputs = {
            "ClusterName": self.eks.name,
            "ClusterSubnets": Fn.join(",", subnets),
            "ImageRegistry": self.images.registry,
            "RunnerRolePattern": self.teams.pattern,
            "BundleSettings": self.to_json_string(settings),
            "DefaultSlots": str(self._stage.default_slots),  # `crosswind doctor --aws` reads it
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
