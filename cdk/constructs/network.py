"""The network of pods: three zones, no way out but to AWS itself, unless the stage asks for one."""

from dataclasses import dataclass

from aws_cdk import aws_ec2, aws_kms
from constructs import Construct

from cdk.constructs.log_group import log_group
from cdk.stages import Compute, Stage

ZONES = 3
HTTPS = 443
_PODS_MASK = 20
_PUBLIC_MASK = 26
_INTERFACES = {
    "EcrApi": "ecr.api",
    "EcrDocker": "ecr.dkr",
    "Eks": "eks",
    "EksAuth": "eks-auth",
    "Ec2": "ec2",
    "Kms": "kms",
    "Logs": "logs",
    "Monitoring": "monitoring",
    "SecretsManager": "secretsmanager",
    "Sqs": "sqs",
    "StepFunctions": "states",
    "StepFunctionsSync": "sync-states",
    "Sts": "sts",
}
"""What nodes, agents and the launcher call. `ec2`, `eks` and `eks-auth` are for nodes, `monitoring` for probes."""


@dataclass(frozen=True, kw_only=True)
class NetworkProps:
    """Sizes, and who encrypts."""

    stage: Stage
    compute: Compute
    key: aws_kms.IKey


class Network(Construct):
    """VPC, endpoints, and the security groups of pods and of who launches them."""

    vpc: aws_ec2.Vpc
    private_subnets: list[aws_ec2.ISubnet]
    pods: aws_ec2.SecurityGroup
    launcher: aws_ec2.SecurityGroup

    def __init__(self, scope: Construct, construct_id: str, *, props: NetworkProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._define_vpc()
        self._log_what_is_refused()
        self._define_groups()
        self._define_gateways()
        self._define_interfaces()

    def _define_vpc(self) -> None:
        compute, kinds = self._props.compute, aws_ec2.SubnetType
        pods = aws_ec2.SubnetConfiguration(
            name="Pods",
            subnet_type=kinds.PRIVATE_WITH_EGRESS if compute.nat_gateways else kinds.PRIVATE_ISOLATED,
            cidr_mask=_PODS_MASK,
        )
        public = aws_ec2.SubnetConfiguration(
            name="Out", subnet_type=kinds.PUBLIC, cidr_mask=_PUBLIC_MASK, map_public_ip_on_launch=False
        )
        self.vpc = aws_ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=aws_ec2.IpAddresses.cidr(compute.network),
            max_azs=ZONES,
            nat_gateways=compute.nat_gateways,
            subnet_configuration=[pods, *([public] if compute.nat_gateways else [])],
            restrict_default_security_group=False,  # that takes a Lambda of its own; nothing uses the group
        )
        self.private_subnets = self.vpc.select_subnets(subnet_group_name="Pods").subnets

    def _log_what_is_refused(self) -> None:
        """Of a thousand pods' traffic all is too much to keep, and what was let pass is in other logs."""
        group = log_group(self, "Refused", stage=self._props.stage, key=self._props.key)
        self.vpc.add_flow_log(
            "Refused",
            destination=aws_ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=aws_ec2.FlowLogTrafficType.REJECT,
        )

    def _define_groups(self) -> None:
        self.pods = self._group("Pods", "Pods of tests on Fargate")
        self.launcher = self._group("Launcher", "Lambdas that call the API server of the cluster")
        self._endpoints = self._group("Endpoints", "Interface endpoints")
        self._endpoints.add_ingress_rule(
            aws_ec2.Peer.ipv4(self._props.compute.network), aws_ec2.Port.tcp(HTTPS), "HTTPS from within"
        )
        # Lists of the gateways' addresses differ by region. Routes, not groups, end what leads elsewhere.
        for group in (self.pods, self.launcher):
            group.add_egress_rule(
                aws_ec2.Peer.any_ipv4(), aws_ec2.Port.tcp(HTTPS), "HTTPS, as far as routes go"
            )

    def _group(self, name: str, description: str) -> aws_ec2.SecurityGroup:
        return aws_ec2.SecurityGroup(
            self, name, vpc=self.vpc, description=description, allow_all_outbound=False
        )

    def _define_gateways(self) -> None:
        services = aws_ec2.GatewayVpcEndpointAwsService
        self.vpc.add_gateway_endpoint("S3", service=services.S3)
        self.vpc.add_gateway_endpoint("DynamoDb", service=services.DYNAMODB)

    def _define_interfaces(self) -> None:
        subnets = self.private_subnets[: self._props.compute.endpoint_zones]
        for name, service in _INTERFACES.items():
            aws_ec2.InterfaceVpcEndpoint(
                self,
                name,
                vpc=self.vpc,
                service=aws_ec2.InterfaceVpcEndpointAwsService(service),
                subnets=aws_ec2.SubnetSelection(subnets=subnets),
                security_groups=[self._endpoints],
                private_dns_enabled=True,
                open=False,
            )
