"""What only an EKS cluster takes: Auto Mode's node pools, NetworkPolicy on its nodes, logs of Fargate. Pure.

Pools are made from the cluster's offers, so that a pod's selector and tolerations always find the nodes they mean.
"""

from crosswind.contracts.clusters import CapacityKind, CapacityOffer, EksConnection
from crosswind.runs.clusters.bundle.options import PART_OF, BundleOptions
from crosswind.runs.clusters.bundle.structural import Json

_CAPACITY_TYPES = {CapacityKind.SPOT: "spot", CapacityKind.ON_DEMAND: "on-demand"}
_KNOWN_DOMAINS = ("karpenter.sh", "kubernetes.io", "k8s.io", "eks.amazonaws.com")
_POOL_LABEL = "crosswind.dev/pool"
_NODE_CLASS = "crosswind"
_CLASS_GROUP = "eks.amazonaws.com"
_OBSERVED = "aws-observability"
_LONGEST_SHARD = "13h"
"""A node that is to be replaced waits so long for a shard that must not be interrupted: it may take 12 h."""

_DISK = "100Gi"


def eks_objects(options: BundleOptions) -> list[Json]:
    """Nothing where the cluster is no EKS."""
    connection = options.spec.connection
    if not isinstance(connection, EksConnection):
        return []
    objects = [_network_policy_controller()]
    if options.eks.node_role:
        objects += [_node_class(options), *_pools(options)]
    if options.eks.log_group:
        objects += _fargate_logs(connection.region, options.eks.log_group)
    return objects


def _network_policy_controller() -> Json:
    """Auto Mode's nodes keep NetworkPolicy only where it is asked for."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
        "data": {"enable-network-policy-controller": "true"},
    }


def _node_class(options: BundleOptions) -> Json:
    eks = options.eks
    return {
        "apiVersion": f"{_CLASS_GROUP}/v1",
        "kind": "NodeClass",
        "metadata": {"name": _NODE_CLASS, "labels": PART_OF},
        "spec": {
            "role": eks.node_role,
            "subnetSelectorTerms": [{"id": each} for each in eks.subnets],
            "securityGroupSelectorTerms": [{"id": each} for each in eks.node_security_groups],
            "networkPolicy": "DefaultAllow",
            "networkPolicyEventLogs": "Disabled",
            "ephemeralStorage": {"size": _DISK},
        },
    }


def _pools(options: BundleOptions) -> list[Json]:
    offers = ((kind, options.offer(kind)) for kind in _CAPACITY_TYPES)
    return [_pool(options, kind, offer) for kind, offer in offers if offer is not None]


def _pool(options: BundleOptions, kind: CapacityKind, offer: CapacityOffer) -> Json:
    """Nodes come with the first pod that needs one and go a minute after the last has left.

    Their labels are ours alone: Karpenter refuses those of Kubernetes' own domains, `app.kubernetes.io` too.
    """
    labels = {
        name: value
        for name, value in offer.node_selector.items()
        if not name.partition("/")[0].endswith(_KNOWN_DOMAINS)
    }
    taints = [
        {"key": each.key, "effect": each.effect or "NoSchedule"}
        | ({"value": each.value} if each.value else {})
        for each in offer.tolerations
    ]
    limits = options.spec.limits
    teams = max(1, len(options.teams))
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": f"crosswind-{_CAPACITY_TYPES[kind]}", "labels": PART_OF},
        "spec": {
            "template": {
                "metadata": {"labels": labels | {_POOL_LABEL: _CAPACITY_TYPES[kind]}},
                "spec": {
                    "nodeClassRef": {"group": _CLASS_GROUP, "kind": "NodeClass", "name": _NODE_CLASS},
                    "requirements": [
                        _one_of("karpenter.sh/capacity-type", _CAPACITY_TYPES[kind]),
                        _one_of("kubernetes.io/arch", "amd64"),
                        _one_of("kubernetes.io/os", "linux"),
                        # Many kinds of machine: a Spot pool that is picky is reclaimed more often.
                        _one_of("eks.amazonaws.com/instance-category", "c", "m", "r"),
                        {
                            "key": "eks.amazonaws.com/instance-generation",
                            "operator": "Gt",
                            "values": ["4"],
                        },
                    ],
                    "taints": taints,
                    "expireAfter": "168h",
                    "terminationGracePeriod": _LONGEST_SHARD,
                },
            },
            "limits": {"cpu": str(limits.team_cpu * teams), "memory": f"{limits.team_memory_gib * teams}Gi"},
            "disruption": {
                "consolidationPolicy": "WhenEmpty",
                "consolidateAfter": "60s",
                "budgets": [
                    {"nodes": "100%", "reasons": ["Empty"]},  # all at once, when a large run is over
                    {"nodes": "10%", "reasons": ["Drifted", "Underutilized"]},
                ],
            },
        },
    }


def _one_of(key: str, *values: str) -> Json:
    return {"key": key, "operator": "In", "values": list(values)}


def _fargate_logs(region: str, group: str) -> list[Json]:
    """Where pods on Fargate have no agent beside them, EKS ships their logs, told by this one ConfigMap."""
    output = (
        "[OUTPUT]\n"
        "    Name cloudwatch_logs\n"
        "    Match *\n"
        f"    region {region}\n"
        f"    log_group_name {group}\n"
        "    log_stream_prefix pods-\n"
        "    auto_create_group false\n"
    )
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": _OBSERVED, "labels": {_OBSERVED: "enabled"}},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "aws-logging", "namespace": _OBSERVED},
            "data": {"flb_log_cw": "false", "output.conf": output},
        },
    ]
