"""An EKS cluster: Fargate by profile, other nodes by Auto Mode, its API server reached from within the VPC only.

CloudFormation's own resources instead of CDK's `Cluster`, which would bring kubectl in a Lambda with administrator's
rights over the cluster. What is inside the cluster is the bundle's (docs/clusters.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import ArnFormat, CfnResource, Fn, Stack, Token, aws_ec2, aws_eks, aws_iam, aws_kms, aws_logs
from constructs import Construct

from cdk.constructs.log_group import log_group
from cdk.constructs.network import HTTPS, Network
from cdk.stages import Compute, Stage
from crosswind.contracts.clusters import CapacityKind
from crosswind.runs.clusters.offers import offers_of

LOGGED = ("audit", "authenticator")
CLUSTER_POLICIES = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
NODE_POLICIES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
POD_POLICY = "AmazonEKSFargatePodExecutionRolePolicy"
NAMESPACES = "crosswind-*"
_DNS, _KUBELET = 53, 10250
_MOST_SELECTORS = 5
_ADMIN = "AmazonEKSClusterAdminPolicy"
_NODE = "AmazonEKSAutoNodePolicy"


@dataclass(frozen=True, kw_only=True)
class EksClusterProps:
    """Where it is, and who encrypts."""

    stage: Stage
    compute: Compute
    key: aws_kms.IKey
    network: Network
    admins: Sequence[str]


class EksCluster(Construct):
    """The cluster, its roles and profiles."""

    cluster: aws_eks.CfnCluster
    name: str
    cluster_role: aws_iam.Role
    node_role: aws_iam.Role
    pod_role: aws_iam.Role
    issuer: str
    """Of service accounts' tokens, without https://."""

    provider: aws_iam.CfnOIDCProvider
    pod_logs: aws_logs.LogGroup

    def __init__(self, scope: Construct, construct_id: str, *, props: EksClusterProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self.name = f"crosswind-{props.stage.name}"
        self._define_roles()
        self._define_cluster()
        self._open_paths()
        self._define_issuer()
        self._define_profiles()
        self._define_names()
        self._let_in()

    def _define_roles(self) -> None:
        stage, key = self._props.stage, self._props.key
        self.cluster_role = self._role("ClusterRole", "eks.amazonaws.com", CLUSTER_POLICIES)
        if self.cluster_role.assume_role_policy:
            self.cluster_role.assume_role_policy.add_statements(
                aws_iam.PolicyStatement(
                    actions=["sts:TagSession"],  # Auto Mode tags what it makes
                    principals=[aws_iam.ServicePrincipal("eks.amazonaws.com")],
                )
            )
        self.node_role = self._role("NodeRole", "ec2.amazonaws.com", NODE_POLICIES)
        profiles = Stack.of(self).format_arn(
            service="eks", resource="fargateprofile", resource_name=f"{self.name}/*"
        )
        of_this_cluster = {"ArnLike": {"aws:SourceArn": profiles}}
        self.pod_role = self._role(
            "PodRole", "eks-fargate-pods.amazonaws.com", (POD_POLICY,), of_this_cluster
        )
        self.pod_logs = log_group(self, "PodLogs", stage=stage, key=key)
        aws_iam.Grant.add_to_principal(
            grantee=self.pod_role,
            actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            resource_arns=[self.pod_logs.log_group_arn],
        )

    def _role(
        self,
        name: str,
        service: str,
        policies: Sequence[str],
        conditions: Mapping[str, object] | None = None,
    ) -> aws_iam.Role:
        return aws_iam.Role(
            self,
            name,
            assumed_by=aws_iam.ServicePrincipal(service, conditions=conditions),
            managed_policies=[aws_iam.ManagedPolicy.from_aws_managed_policy_name(each) for each in policies],
        )

    def _define_cluster(self) -> None:
        """Auto Mode is compute, storage and load balancing together; its pools come with the bundle."""
        stage, compute = self._props.stage, self._props.compute
        logs = log_group(self, "Logs", stage=stage, key=self._props.key, name=f"/aws/eks/{self.name}/cluster")
        kinds = aws_eks.CfnCluster
        self.cluster = aws_eks.CfnCluster(
            self,
            "Cluster",
            name=self.name,
            version=compute.kubernetes_version,
            role_arn=self.cluster_role.role_arn,
            resources_vpc_config=kinds.ResourcesVpcConfigProperty(
                subnet_ids=[each.subnet_id for each in self._props.network.private_subnets],
                endpoint_private_access=True,
                endpoint_public_access=False,
            ),
            access_config=kinds.AccessConfigProperty(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            encryption_config=[
                kinds.EncryptionConfigProperty(
                    provider=kinds.ProviderProperty(key_arn=self._props.key.key_arn), resources=["secrets"]
                )
            ],
            logging=kinds.LoggingProperty(
                cluster_logging=kinds.ClusterLoggingProperty(
                    enabled_types=[kinds.LoggingTypeConfigProperty(type=each) for each in LOGGED]
                )
            ),
            compute_config=kinds.ComputeConfigProperty(enabled=True, node_pools=[]),
            kubernetes_network_config=kinds.KubernetesNetworkConfigProperty(
                elastic_load_balancing=kinds.ElasticLoadBalancingProperty(enabled=True)
            ),
            storage_config=kinds.StorageConfigProperty(
                block_storage=kinds.BlockStorageProperty(enabled=True)
            ),
            bootstrap_self_managed_addons=False,
            deletion_protection=stage.protected,
            upgrade_policy=kinds.UpgradePolicyProperty(support_type="STANDARD"),
        )
        self.cluster.node.add_dependency(logs, self.cluster_role)

    def _open_paths(self) -> None:
        """Of the group that EKS makes: nodes, Fargate's resolvers and the API server are in it."""
        network, own = self._props.network, self.cluster.attr_cluster_security_group_id
        paths = (
            ("Pods", network.pods, "tcp", HTTPS),
            ("PodsDns", network.pods, "tcp", _DNS),
            ("PodsDnsUdp", network.pods, "udp", _DNS),
            ("Launcher", network.launcher, "tcp", HTTPS),
        )
        for name, group, protocol, port in paths:
            aws_ec2.CfnSecurityGroupIngress(
                self,
                f"{name}In",
                group_id=own,
                source_security_group_id=group.security_group_id,
                ip_protocol=protocol,
                from_port=port,
                to_port=port,
            )
        for protocol in ("tcp", "udp"):
            aws_ec2.CfnSecurityGroupEgress(
                self,
                f"PodsDnsOut{protocol.title()}",
                group_id=network.pods.security_group_id,
                destination_security_group_id=own,
                ip_protocol=protocol,
                from_port=_DNS,
                to_port=_DNS,
            )
        aws_ec2.CfnSecurityGroupIngress(
            self,
            "Kubelet",
            group_id=network.pods.security_group_id,
            source_security_group_id=own,
            ip_protocol="tcp",
            from_port=_KUBELET,
            to_port=_KUBELET,
            description="Logs and probes of the API server",
        )

    def _define_issuer(self) -> None:
        url = self.cluster.attr_open_id_connect_issuer_url
        self.issuer = Fn.select(1, Fn.split("//", url))
        self.provider = aws_iam.CfnOIDCProvider(self, "Issuer", url=url, client_id_list=["sts.amazonaws.com"])

    def _define_profiles(self) -> None:
        """One after another: EKS makes one profile at a time. A cluster has ten at most, of five selectors each."""
        (offer,) = offers_of([CapacityKind.FARGATE])
        kinds = aws_eks.CfnFargateProfile
        wanted = (
            ("names", {"kube-system": {"k8s-app": "kube-dns"}}),
            ("tests", {NAMESPACES: dict(offer.labels)}),
        )
        before: CfnResource = self.cluster
        for name, selectors in wanted:
            if len(selectors) > _MOST_SELECTORS:
                raise ValueError(f"profile {name} has over {_MOST_SELECTORS} selectors")
            profile = aws_eks.CfnFargateProfile(
                self,
                f"{name.title()}Profile",
                cluster_name=self.cluster.ref,
                fargate_profile_name=name,
                pod_execution_role_arn=self.pod_role.role_arn,
                subnets=[each.subnet_id for each in self._props.network.private_subnets],
                selectors=[
                    kinds.SelectorProperty(
                        namespace=namespace,
                        labels=[kinds.LabelProperty(key=key, value=value) for key, value in labels.items()],
                    )
                    for namespace, labels in selectors.items()
                ],
            )
            profile.add_resource_dependency(before)
            before = profile
        self._last_profile = before

    def _define_names(self) -> None:
        """Auto Mode's nodes resolve by themselves; pods on Fargate ask CoreDNS, which then is on Fargate too."""
        addon = aws_eks.CfnAddon(
            self,
            "CoreDns",
            addon_name="coredns",
            cluster_name=self.cluster.ref,
            configuration_values='{"computeType":"Fargate"}',
            resolve_conflicts="OVERWRITE",
        )
        addon.add_resource_dependency(self._last_profile)

    def _let_in(self) -> None:
        """Auto Mode's nodes of our own class, and administrators."""
        self._entry("Nodes", self.node_role.role_arn, _NODE, kind="EC2")
        for index, admin in enumerate(self._props.admins):
            self._entry(f"Admin{index}", admin, _ADMIN, kind="STANDARD")

    def _entry(self, name: str, principal: str, policy: str, *, kind: str) -> None:
        arn = Stack.of(self).format_arn(
            service="eks",
            region="",
            account="aws",
            resource="cluster-access-policy",
            resource_name=policy,
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
        kinds = aws_eks.CfnAccessEntry
        aws_eks.CfnAccessEntry(
            self,
            f"{name}Access",
            cluster_name=self.cluster.ref,
            principal_arn=principal,
            type=kind,
            access_policies=[
                kinds.AccessPolicyProperty(
                    policy_arn=arn, access_scope=kinds.AccessScopeProperty(type="cluster")
                )
            ],
        )

    def let_as(self, role: aws_iam.IRole, groups: Sequence[str]) -> None:
        """Let a role sign in as these groups of Kubernetes; the bundle says what they may do.

        The entry is in the role's own stack, which may stand on this one.
        """
        aws_eks.CfnAccessEntry(
            role if isinstance(role, Construct) else self,
            "ClusterAccess",
            cluster_name=Token.as_string(self.cluster.ref),
            principal_arn=role.role_arn,
            kubernetes_groups=list(groups),
            type="STANDARD",
        )
