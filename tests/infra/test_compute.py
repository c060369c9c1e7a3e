"""Where pods run: closed to the internet, watched, encrypted, and open to few."""

import ipaddress
import json
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cdk import App, Stack, aws_iam
from aws_cdk.assertions import Template

from cdk.constructs.network import ZONES
from cdk.constructs.team_roles import TeamRoles, TeamRolesProps
from cdk.stages import DEV, PROD, STAGING, Stage, StageError
from containers.build import IMAGES
from tests.infra.templates import Assembly, listed, text

pytestmark = pytest.mark.infra

_STAGES = {stage.name: stage for stage in (DEV, STAGING, PROD)}


def _of(deployed: Assembly, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the stack's resources of a type."""
    resources = deployed.templates["compute"]["Resources"]
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def _only(deployed: Assembly, kind: str) -> dict[str, Any]:
    (found,) = _of(deployed, kind).values()
    return found


@pytest.fixture
def stage(deployed: Assembly) -> Stage:
    """The stage's values."""
    return _STAGES[deployed.stage]


def test_the_embedded_cloud_has_none_and_takes_any_cluster_that_is_added_to_it(local: Assembly) -> None:
    assert "compute" not in local.templates


def test_a_thousand_pods_have_addresses_in_three_zones_and_no_way_to_the_internet(
    deployed: Assembly, stage: Stage
) -> None:
    subnets = _of(deployed, "AWS::EC2::Subnet").values()
    assert len(subnets) == ZONES
    zones = {text(each["AvailabilityZone"]) for each in subnets}
    assert len(zones) == ZONES
    networks = [ipaddress.ip_network(each["CidrBlock"]) for each in subnets]
    assert all(each.prefixlen == 20 for each in networks)
    assert sum(each.num_addresses - 5 for each in networks) > 10 * stage.default_slots
    assert not any(each["MapPublicIpOnLaunch"] for each in subnets)
    kinds = {each["Type"] for each in deployed.templates["compute"]["Resources"].values()}
    assert (
        not {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::Route"} & kinds
    )


def test_stages_do_not_share_addresses() -> None:
    networks = [ipaddress.ip_network(each.compute.network) for each in _STAGES.values() if each.compute]
    assert not any(one.overlaps(other) for one in networks for other in networks if one is not other)


def test_what_agents_and_nodes_call_has_an_endpoint(deployed: Assembly, stage: Stage) -> None:
    endpoints = list(_of(deployed, "AWS::EC2::VPCEndpoint").values())
    gateways = [each for each in endpoints if each["VpcEndpointType"] == "Gateway"]
    assert {name for each in gateways for name in (".s3", ".dynamodb") if name in text(each)} == {
        ".s3",
        ".dynamodb",
    }
    interfaces = [each for each in endpoints if each["VpcEndpointType"] == "Interface"]
    names = {text(each["ServiceName"]).split(".", 3)[-1].rstrip('"]} ') for each in interfaces}
    wanted = {"sqs", "sts", "ecr.api", "ecr.dkr", "logs", "states", "sync-states", "secretsmanager", "kms"}
    assert wanted <= names, names
    assert stage.compute is not None
    for each in interfaces:
        assert each["PrivateDnsEnabled"] is True
        assert len(each["SubnetIds"]) == stage.compute.endpoint_zones
    assert DEV.compute is not None
    assert DEV.compute.endpoint_zones == 1, "dev saves two thirds of the endpoints' price"


def test_the_cluster_is_private_watched_and_encrypted(deployed: Assembly, stage: Stage) -> None:
    cluster = _only(deployed, "AWS::EKS::Cluster")
    network = cluster["ResourcesVpcConfig"]
    assert (network["EndpointPrivateAccess"], network["EndpointPublicAccess"]) == (True, False)
    (encryption,) = cluster["EncryptionConfig"]
    assert encryption["Resources"] == ["secrets"]
    assert "DataKey" in text(encryption["Provider"])
    logged = {each["Type"] for each in cluster["Logging"]["ClusterLogging"]["EnabledTypes"]}
    assert logged == {"audit", "authenticator"}
    assert cluster["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }
    assert cluster["DeletionProtection"] is stage.protected
    assert stage.compute is not None
    assert cluster["Version"] == stage.compute.kubernetes_version


def test_auto_mode_is_on_whole_and_without_pools_of_its_own(deployed: Assembly, stage: Stage) -> None:
    """AWS takes the three together only; with pools of AWS's, a role would have to be told."""
    cluster = _only(deployed, "AWS::EKS::Cluster")
    assert cluster["ComputeConfig"] == {"Enabled": True, "NodePools": []}
    assert cluster["KubernetesNetworkConfig"] == {"ElasticLoadBalancing": {"Enabled": True}}
    assert cluster["StorageConfig"] == {"BlockStorage": {"Enabled": True}}
    assert cluster["BootstrapSelfManagedAddons"] is False
    (nodes,) = [each for each in _of(deployed, "AWS::EKS::AccessEntry").values() if each["Type"] == "EC2"]
    assert "AmazonEKSAutoNodePolicy" in text(nodes["AccessPolicies"])


def test_fargate_profiles_are_made_one_after_another_within_their_limits(
    deployed: Assembly, stage: Stage
) -> None:
    resources = deployed.templates["compute"]["Resources"]
    profiles = {name: each for name, each in resources.items() if each["Type"] == "AWS::EKS::FargateProfile"}
    assert 2 <= len(profiles) <= 10
    after = [set(listed(each["DependsOn"])) & set(profiles) for each in profiles.values()]
    assert sorted(map(len, after)) == [0, *[1] * (len(profiles) - 1)], "a chain"
    selectors: dict[str, Any] = {}
    for each in profiles.values():
        assert len(each["Properties"]["Selectors"]) <= 5
        selectors |= {one["Namespace"]: one["Labels"] for one in each["Properties"]["Selectors"]}
    assert selectors == {
        "kube-system": [{"Key": "k8s-app", "Value": "kube-dns"}],
        "crosswind-*": [{"Key": "crosswind.dev/compute", "Value": "fargate"}],
    }
    (addon,) = [each for each in resources.values() if each["Type"] == "AWS::EKS::Addon"]
    assert set(listed(addon["DependsOn"])) & set(profiles), "CoreDNS would wait for a profile in vain"


def test_nothing_comes_in_but_from_groups_and_the_vpc(deployed: Assembly, stage: Stage) -> None:
    for group in _of(deployed, "AWS::EC2::SecurityGroup").values():
        for rule in group.get("SecurityGroupIngress", []):
            assert rule["CidrIp"] != "0.0.0.0/0"
            assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
        for rule in group["SecurityGroupEgress"]:
            assert rule["IpProtocol"] == "tcp" or rule["CidrIp"] == "255.255.255.255/32", "not everything"
    for rule in _of(deployed, "AWS::EC2::SecurityGroupIngress").values():
        assert "SourceSecurityGroupId" in rule
        assert rule["FromPort"] == rule["ToPort"] in {53, 443, 10250}


def test_images_are_scanned_never_overwritten_and_end(deployed: Assembly, stage: Stage) -> None:
    repositories = _of(deployed, "AWS::ECR::Repository").values()
    assert {each["RepositoryName"] for each in repositories} == {
        f"crosswind-{stage.name}/crosswind/{image}" for image in IMAGES
    }
    for each in repositories:
        assert each["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert each["ImageTagMutability"] == "IMMUTABLE"
        assert each["EncryptionConfiguration"]["EncryptionType"] == "KMS"
        assert "imageCountMoreThan" in each["LifecyclePolicy"]["LifecyclePolicyText"]


def test_roles_of_machines_are_trusted_by_their_service_alone(deployed: Assembly, stage: Stage) -> None:
    trusted: dict[str, Any] = {}
    for name, role in _of(deployed, "AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            trusted.setdefault(text(statement["Principal"]), []).append((name, statement))
    ((_, pods),) = trusted['{"Service": "eks-fargate-pods.amazonaws.com"}']
    assert f"fargateprofile/crosswind-{stage.name}/*" in text(pods["Condition"]["ArnLike"]["aws:SourceArn"])
    assert "*" not in "".join(trusted)


def test_launcher_and_observer_are_in_the_network_and_let_in_by_group(
    deployed: Assembly, stage: Stage
) -> None:
    resources = deployed.templates["pods"]["Resources"].values()
    groups = {}
    for entry in (each["Properties"] for each in resources if each["Type"] == "AWS::EKS::AccessEntry"):
        assert entry["Type"] == "STANDARD"
        assert "AccessPolicies" not in entry, "what they may do, the bundle says"
        name = "LaunchWork" if "LaunchWork" in text(entry["PrincipalArn"]) else "ObservePods"
        groups[name] = entry["KubernetesGroups"]
    assert groups == {
        "LaunchWork": ["crosswind-launcher"],
        "ObservePods": ["crosswind-launcher", "crosswind-observer"],
    }
    for module in ("launch_work", "observe_pods"):
        place = deployed.functions()[module]["Properties"]["VpcConfig"]
        assert len(place["SubnetIds"]) == ZONES
        assert "Launcher" in text(place["SecurityGroupIds"])
    others = [
        each for name, each in deployed.functions().items() if name not in ("launch_work", "observe_pods")
    ]
    assert not [each for each in others if "VpcConfig" in each["Properties"]]


def test_only_the_controllers_account_can_assume_its_role_and_it_reads_no_credentials_of_clusters(
    deployed: Assembly,
) -> None:
    template = deployed.templates["pods"]
    (role,) = (
        name
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::IAM::Role" and "Fn::Sub" in each["Properties"]["AssumeRolePolicyDocument"]
    )
    trust = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Fn::Sub"]
    (statement,) = json.loads(trust[0])["Statement"]
    subject = statement["Condition"]["StringEquals"]["${Issuer}:sub"]
    assert subject == "system:serviceaccount:crosswind-system:crosswind-controller"
    policies = [
        text(each["Properties"]["PolicyDocument"])
        for each in template["Resources"].values()
        if each["Type"] == "AWS::IAM::Policy" and {"Ref": role} in each["Properties"]["Roles"]
    ]
    assert "dynamodb:PutItem" in "".join(policies)
    assert "secretsmanager" not in "".join(policies)
    assert role in text(template["Outputs"]["ControllerRoleArn"])


def test_the_outputs_tell_what_registering_and_preparing_the_cluster_need(
    deployed: Assembly, stage: Stage
) -> None:
    outputs = deployed.templates["compute"]["Outputs"]
    assert outputs["DefaultSlots"]["Value"] == str(stage.default_slots)
    assert outputs["ClusterName"]["Value"] == f"crosswind-{stage.name}"
    assert f"/crosswind-{stage.name}" in text(outputs["ImageRegistry"])
    assert "-{team}" in text(outputs["RunnerRolePattern"])
    for name in ("nodeRole", "subnets", "nodeSecurityGroups", "podSecurityGroups", "logGroup"):
        assert name in text(outputs["BundleSettings"])


def test_a_teams_role_is_for_the_agents_of_its_own_namespace(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    cluster = SimpleNamespace(
        issuer="oidc.example/id/1", provider=SimpleNamespace(attr_arn="arn:aws:iam::1:oidc-provider/x")
    )
    stack = Stack(App(outdir=str(tmp_path_factory.mktemp("team-roles"))), "Teams")
    policy = aws_iam.ManagedPolicy(
        stack,
        "Policy",
        statements=[aws_iam.PolicyStatement(actions=["sqs:ReceiveMessage"], resources=["arn:aws:sqs:::q"])],
    )
    props: dict[str, Any] = {"stage": PROD, "cluster": cluster, "policy": policy}
    TeamRoles(stack, "Roles", props=TeamRolesProps(**props, teams=["shop", "bank"]))
    with pytest.raises(StageError, match="too long"):
        TeamRoles(stack, "Long", props=TeamRolesProps(**props, teams=["t" * 60]))
    roles = Template.from_stack(stack).find_resources("AWS::IAM::Role").values()
    subjects = set()
    for role in roles:
        trust = role["Properties"]["AssumeRolePolicyDocument"]["Fn::Sub"]
        (statement,) = json.loads(trust[0])["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        conditions = statement["Condition"]["StringEquals"]
        assert conditions["${Issuer}:aud"] == "sts.amazonaws.com"
        subjects.add(conditions["${Issuer}:sub"])
        (own,) = role["Properties"]["Policies"]
        (denied,) = own["PolicyDocument"]["Statement"]
        team = conditions["${Issuer}:sub"].split("crosswind-")[1].split(":")[0]
        assert denied["Effect"] == "Deny"
        assert f"crosswind/prod/{team}/*" in text(denied["NotResource"])
    assert subjects == {
        "system:serviceaccount:crosswind-shop:crosswind-runner",
        "system:serviceaccount:crosswind-bank:crosswind-runner",
    }
