"""The manifests that a cluster needs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosswind.contracts.clusters import CapacityKind, CapacityOffer, Cluster, Toleration
from crosswind.kernel.errors import InvalidInputError
from crosswind.runs.clusters.bundle.options import BundleOptions, ControllerOptions, EksSettings, Flow
from crosswind.runs.clusters.bundle.render import KUSTOMIZATION, files_of, objects_of
from crosswind.runs.clusters.offers import offers_of
from crosswind.runs.clusters.reading import parse_cluster
from tests.fakes.certificates import AUTHORITY

_ROOT = Path(__file__).resolve().parents[4]
_EKS = """
apiVersion: crosswind.dev/v1
kind: Cluster
metadata: {name: main}
spec:
  connection:
    kind: eks
    name: crosswind-prod
    region: eu-central-1
    endpoint: https://example.eks.amazonaws.com
    certificateAuthority: PEM
  teams: [shop, bank]
  runner: {roleArn: "arn:aws:iam::111122223333:role/crosswind-{team}"}
""".replace("PEM", json.dumps(AUTHORITY))
_SETTINGS = EksSettings(
    node_role="nodes",
    subnets=("subnet-1",),
    node_security_groups=("sg-nodes",),
    pod_security_groups=("sg-pods",),
    log_group="/crosswind/pods",
)


def _options(*offers: CapacityOffer, eks: EksSettings = _SETTINGS) -> BundleOptions:
    found = parse_cluster(_EKS)
    spec = found.spec.model_copy(update={"capacity": offers or found.spec.capacity})
    cluster = Cluster(api_version="crosswind.dev/v1", kind="Cluster", metadata=found.metadata, spec=spec)
    return BundleOptions(cluster=cluster, teams=spec.teams, eks=eks)


def _of(options: BundleOptions, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
    return [
        each
        for part in objects_of(options).values()
        for each in part
        if each["kind"] == kind and namespace in (None, each["metadata"].get("namespace"))
    ]


def test_the_repositorys_example_is_what_is_rendered() -> None:
    """Mend it by: crosswind clusters render -f cluster/cluster.yaml -o cluster/base"""
    folder = _ROOT / "cluster"
    cluster = parse_cluster((folder / "cluster.yaml").read_text(encoding="utf-8"))
    rendered = files_of(BundleOptions(cluster=cluster, teams=cluster.spec.teams))
    kept = {
        str(path.relative_to(folder / "base")): path.read_text(encoding="utf-8")
        for path in (folder / "base").rglob("*.yaml")
    }
    assert kept == rendered
    resources = yaml.safe_load(rendered[KUSTOMIZATION])["resources"]
    assert set(resources) == set(rendered) - {KUSTOMIZATION}


def test_nothing_is_allowed_but_names_https_and_told_flows() -> None:
    options = dataclasses.replace(
        _options(), https_to=("10.0.0.0/16",), flows=(Flow("10.9.0.0/16", 8080), Flow("10.8.0.0/16"))
    )
    policies = {
        each["metadata"]["name"]: each["spec"] for each in _of(options, "NetworkPolicy", "crosswind-shop")
    }
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert not any("ingress" in spec for spec in policies.values())
    https = policies["allow-https"]["egress"]
    assert https == [
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 443}]}
    ]
    assert policies["allow-told"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 8080}]},
        {"to": [{"ipBlock": {"cidr": "10.8.0.0/16"}}]},
    ]


def test_the_metadata_of_machines_is_never_within_reach() -> None:
    (https,) = [
        each
        for each in _of(_options(), "NetworkPolicy", "crosswind-shop")
        if "https" in each["metadata"]["name"]
    ]
    (target,) = https["spec"]["egress"][0]["to"]
    assert target["ipBlock"]["except"] == ["169.254.169.254/32"]


def test_each_teams_account_takes_its_own_role() -> None:
    for team in ("shop", "bank"):
        runner, default = _of(_options(), "ServiceAccount", f"crosswind-{team}")
        role = runner["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        assert role == f"arn:aws:iam::111122223333:role/crosswind-{team}"
        assert not runner["automountServiceAccountToken"]
        assert not default["automountServiceAccountToken"]
        assert "annotations" not in default["metadata"]


def test_pools_take_the_pods_of_their_offer_and_no_others() -> None:
    spot = CapacityOffer(
        kind=CapacityKind.SPOT,
        node_selector={"karpenter.sh/capacity-type": "spot", "example.com/lane": "fast"},
        tolerations=(Toleration(key="crosswind.dev/tests", effect="NoSchedule"),),
    )
    (pool,) = _of(_options(spot, CapacityOffer(kind=CapacityKind.FARGATE)), "NodePool")
    template = pool["spec"]["template"]
    assert pool["metadata"]["name"] == "crosswind-spot"
    # Karpenter refuses labels of its own and of Kubernetes' domains, and with them the whole pool.
    assert template["metadata"]["labels"] == {"crosswind.dev/pool": "spot", "example.com/lane": "fast"}
    assert template["spec"]["taints"] == [{"key": "crosswind.dev/tests", "effect": "NoSchedule"}]
    wanted = {each["key"]: each["values"] for each in template["spec"]["requirements"]}
    assert wanted["karpenter.sh/capacity-type"] == ["spot"]
    assert pool["spec"]["disruption"]["consolidationPolicy"] == "WhenEmpty"  # a pod of tests is never moved


def test_security_groups_bound_fargate_where_policies_do_not() -> None:
    fargate = CapacityOffer(kind=CapacityKind.FARGATE)
    (policy,) = _of(_options(fargate), "SecurityGroupPolicy", "crosswind-shop")
    assert policy["spec"]["securityGroups"] == {"groupIds": ["sg-pods"]}
    assert policy["spec"]["podSelector"] == {"matchLabels": {"crosswind.dev/capacity": "fargate"}}
    assert not _of(_options(CapacityOffer(kind=CapacityKind.NODES)), "SecurityGroupPolicy")
    assert not _of(_options(fargate, eks=EksSettings()), "SecurityGroupPolicy")


def test_fargates_logs_go_to_the_group_that_is_told() -> None:
    (logging,) = [each for each in _of(_options(), "ConfigMap") if each["metadata"]["name"] == "aws-logging"]
    assert "log_group_name /crosswind/pods" in logging["data"]["output.conf"]
    assert not _of(_options(eks=EksSettings()), "NodeClass")


def test_an_eks_cluster_knows_the_launcher_by_its_group_alone() -> None:
    bindings = [*_of(_options(), "RoleBinding"), *_of(_options(), "ClusterRoleBinding")]
    subjects = {(each["kind"], each["name"]) for binding in bindings for each in binding["subjects"]}
    assert subjects == {("Group", "crosswind-launcher"), ("Group", "crosswind-observer")}


@pytest.mark.parametrize("teams", [(), ("shop", "shop")])
def test_teams_are_named_and_once(teams: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError):
        objects_of(BundleOptions(cluster=parse_cluster(_EKS), teams=teams))


def test_there_is_a_controller_only_where_it_is_asked_for() -> None:
    without = _options(*offers_of([CapacityKind.SPOT, CapacityKind.FARGATE]))
    assert "controller.yaml" not in objects_of(without)
    wanted = ControllerOptions(
        image="registry.example/controller:1",
        endpoint="https://api.example",
        role_arn="arn:aws:iam::111122223333:role/controller",
    )
    options = dataclasses.replace(without, controller=wanted)

    (deployment,) = _of(options, "Deployment")
    template = deployment["spec"]["template"]
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert template["metadata"]["labels"]["crosswind.dev/compute"] == "fargate", (
        "what stays, and needs no node"
    )
    (container,) = template["spec"]["containers"]
    assert {"name": "CROSSWIND_ENDPOINT", "value": "https://api.example"} in container["env"]
    assert "crosswind-system" in [each["metadata"]["name"] for each in _of(options, "Namespace")]
    (account,) = _of(options, "ServiceAccount", "crosswind-system")
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": wanted.role_arn}


def test_the_controller_may_make_jobs_only_where_teams_have_theirs() -> None:
    wanted = ControllerOptions(image="registry.example/controller:1", endpoint="https://api.example")
    options = dataclasses.replace(_options(), controller=wanted)

    made = [
        (each["metadata"].get("namespace"), verb)
        for kind in ("Role", "ClusterRole")
        for each in _of(options, kind)
        if each["metadata"]["name"] == "crosswind-controller"
        for rule in each["rules"]
        if "jobs" in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert made == [
        ("crosswind-shop", "create"),
        ("crosswind-shop", "delete"),
        ("crosswind-bank", "create"),
        ("crosswind-bank", "delete"),
        (None, "list"),
        (None, "watch"),
    ]
