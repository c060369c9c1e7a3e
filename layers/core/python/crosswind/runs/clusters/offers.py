"""What the kinds of capacity look like in a cluster that was prepared with Crosswind's own bundle."""

from collections.abc import Sequence

from crosswind.contracts.clusters import CapacityKind, CapacityOffer, Toleration

COMPUTE_LABEL = "crosswind.dev/compute"
"""Of pods: the Fargate profile selects by it, so that no other pod in the namespace becomes a Fargate pod."""
CAPACITY_TYPE = "karpenter.sh/capacity-type"
POOL_TAINT = "crosswind.dev/tests"
"""Of nodes that are for tests alone."""

_OFFERS = {
    CapacityKind.FARGATE: CapacityOffer(
        kind=CapacityKind.FARGATE,
        labels={COMPUTE_LABEL: "fargate"},
        max_cpu_millis=16_000,
        max_memory_mib=122_880,
    ),
    CapacityKind.SPOT: CapacityOffer(
        kind=CapacityKind.SPOT,
        node_selector={CAPACITY_TYPE: "spot"},
        tolerations=(Toleration(key=POOL_TAINT, effect="NoSchedule"),),
    ),
    CapacityKind.ON_DEMAND: CapacityOffer(
        kind=CapacityKind.ON_DEMAND,
        node_selector={CAPACITY_TYPE: "on-demand"},
        tolerations=(Toleration(key=POOL_TAINT, effect="NoSchedule"),),
    ),
    CapacityKind.NODES: CapacityOffer(kind=CapacityKind.NODES),
}


def offers_of(kinds: Sequence[CapacityKind]) -> tuple[CapacityOffer, ...]:
    """Offers in the order of the kinds."""
    return tuple(_OFFERS[kind] for kind in kinds)
