"""A team's namespace, and what bounds it. Pure."""

from crosswind.contracts.clusters import CapacityKind
from crosswind.runs.clusters.bundle.options import (
    ANYWHERE,
    LAUNCHER,
    PART_OF,
    POD_SECURITY_VERSION,
    TEAM_LABEL,
    BundleOptions,
)
from crosswind.runs.clusters.bundle.structural import Json
from crosswind.runs.pods.jobs import CAPACITY_LABEL
from crosswind.runs.pods.naming import SYSTEM

LAUNCHER_RULES: tuple[Json, ...] = (
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["create", "get", "list", "watch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
)
_METADATA = "169.254.169.254/32"
_JOBS_PER_POD = 2  # one that has ended stays for its minute
_IRSA = "eks.amazonaws.com/role-arn"
_NOTHING_ELSE = ("services", "persistentvolumeclaims", "replicationcontrollers")


def namespace_objects(options: BundleOptions, team: str) -> list[Json]:
    """Everything of one team."""
    namespace = options.namespace(team)
    objects = [
        _namespace(namespace, team),
        _quota(options),
        _limits(),
        *_network_policies(options),
        *_accounts(options, team),
        _role(),
        _binding(options),
    ]
    if _security_groups_apply(options):
        objects.append(_security_group_policy(options))
    return [_within(each, namespace, team) for each in objects]


def _within(item: Json, namespace: str, team: str) -> Json:
    place = {} if item["kind"] == "Namespace" else {"namespace": namespace}
    labels = PART_OF | {TEAM_LABEL: team} | item["metadata"].get("labels", {})
    return item | {"metadata": item["metadata"] | place | {"labels": labels}}


def _namespace(namespace: str, team: str) -> Json:
    levels = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        for suffix, value in (("", "restricted"), ("-version", POD_SECURITY_VERSION))
    }
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {TEAM_LABEL: team} | levels},
    }


def _quota(options: BundleOptions) -> Json:
    """Requests are the limits in every pod of ours. Nothing but pods, Jobs and what belongs to them has a place here."""
    limits = options.spec.limits
    hard = {
        "pods": str(limits.team_pods),
        "count/jobs.batch": str(limits.team_pods * _JOBS_PER_POD),
        "requests.cpu": str(limits.team_cpu),
        "limits.cpu": str(limits.team_cpu),
        "requests.memory": f"{limits.team_memory_gib}Gi",
        "limits.memory": f"{limits.team_memory_gib}Gi",
    }
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "crosswind"},
        "spec": {"hard": hard | dict.fromkeys(_NOTHING_ELSE, "0")},
    }


def _limits() -> Json:
    """For containers that ask for nothing, which are not ours; and the largest pod that Fargate has."""
    small = {"cpu": "250m", "memory": "256Mi"}
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "crosswind"},
        "spec": {
            "limits": [
                {"type": "Container", "default": small, "defaultRequest": small},
                {"type": "Pod", "max": {"cpu": "16", "memory": "120Gi"}},
            ]
        },
    }


def _network_policies(options: BundleOptions) -> list[Json]:
    """Nothing comes in, from pods of the same namespace neither; names are resolved; HTTPS and told flows go out."""
    https = [{"ipBlock": _block(cidr)} for cidr in options.https_to]
    flows = [
        {"to": [{"ipBlock": _block(each.cidr)}]}
        | ({"ports": [{"protocol": "TCP", "port": each.port}]} if each.port else {})
        for each in options.flows
    ]
    dns = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
    return [
        _policy("deny-all", {"policyTypes": ["Ingress", "Egress"]}),
        # Resolvers are pods in one cluster, processes of the node in the next: no address holds for all of them.
        _policy("allow-dns", {"policyTypes": ["Egress"], "egress": [dns]}),
        _policy(
            "allow-https",
            {
                "policyTypes": ["Egress"],
                "egress": [{"to": https, "ports": [{"protocol": "TCP", "port": 443}]}],
            },
        ),
        *([_policy("allow-told", {"policyTypes": ["Egress"], "egress": flows})] if flows else []),
    ]


def _block(cidr: str) -> Json:
    return {"cidr": cidr} | ({"except": [_METADATA]} if cidr == ANYWHERE else {})


def _policy(name: str, spec: Json) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {}} | spec,
    }


def _accounts(options: BundleOptions, team: str) -> list[Json]:
    """The agent's, which may do nothing in the cluster; and nobody's, whose token no pod gets."""
    runner = options.spec.runner
    metadata: Json = {"name": runner.service_account}
    if runner.role_arn:
        metadata["annotations"] = {_IRSA: runner.role_arn.replace("{team}", team)}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": given,
            "automountServiceAccountToken": False,
        }
        for given in (metadata, {"name": "default"})
    ]


def _role() -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": LAUNCHER},
        "rules": [dict(each) for each in LAUNCHER_RULES],
    }


def _binding(options: BundleOptions) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": LAUNCHER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": LAUNCHER},
        "subjects": launcher_subjects(options),
    }


def launcher_subjects(options: BundleOptions) -> list[Json]:
    """On EKS the group of the launcher's access entry; elsewhere a certificate's group, or a service account."""
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": LAUNCHER}
    account = {"kind": "ServiceAccount", "name": LAUNCHER, "namespace": SYSTEM}
    return [group] if options.on_eks else [group, account]


def _security_groups_apply(options: BundleOptions) -> bool:
    return (
        options.on_eks
        and bool(options.eks.pod_security_groups)
        and options.offer(CapacityKind.FARGATE) is not None
    )


def _security_group_policy(options: BundleOptions) -> Json:
    """Of pods on Fargate, where NetworkPolicy is not enforced."""
    return {
        "apiVersion": "vpcresources.k8s.aws/v1beta1",
        "kind": "SecurityGroupPolicy",
        "metadata": {"name": "crosswind-fargate"},
        "spec": {
            "podSelector": {"matchLabels": {CAPACITY_LABEL: CapacityKind.FARGATE.value}},
            "securityGroups": {"groupIds": list(options.eks.pod_security_groups)},
        },
    }
