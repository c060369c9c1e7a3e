"""Where a pod goes: which of a cluster's offers, and why, as a sentence that `why` prints. Pure.

Spot takes its share of what may be interrupted, chosen by the work's own name, so that every launcher chooses alike.
What Spot has lost once does not go there again. A pod that an offer could not start goes to the next one; when all were
tried, the first that would do is tried again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from crosswind.contracts.clusters import CapacityKind, CapacityOffer, ClusterSpec
from crosswind.contracts.services import ServiceSpec
from crosswind.runs.infrastructure import InfrastructureReason
from crosswind.runs.model import Work, WorkKey
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.sizes import sizes_of

_TAKEN_BACK = frozenset(
    {InfrastructureReason.SPOT, InfrastructureReason.EVICTED, InfrastructureReason.NODE_LOST}
)
_NAMES = {
    CapacityKind.SPOT: "Spot",
    CapacityKind.FARGATE: "Fargate",
    CapacityKind.ON_DEMAND: "on-demand nodes",
    CapacityKind.NODES: "the cluster's nodes",
}


@dataclass(frozen=True, slots=True)
class Placement:
    """The chosen offer."""

    offer: CapacityOffer
    reason: str


def name_of(kind: CapacityKind) -> str:
    """For people."""
    return _NAMES[kind]


def place(
    work: Work,
    asked: Size,
    cluster: ClusterSpec,
    *,
    services: Sequence[ServiceSpec] = (),
    tried: Sequence[CapacityKind] = (),
) -> Placement | None:
    """Choose an offer for work that asks for so much beside its services; `tried` has those that could not start this
    attempt, the oldest first.

    None: no offer of the cluster takes so large a pod.
    """
    fitting = [offer for offer in cluster.capacity if _fits(offer, sizes_of(asked, services, offer.kind).pod)]
    if not fitting:
        return None
    wanted = [
        offer for offer in fitting if offer.kind is not CapacityKind.SPOT or _may_be_spot(work, cluster)
    ]
    offers = wanted or fitting
    fresh = [offer for offer in offers if offer.kind not in tried]
    if not fresh:
        again = next((kind for kind in tried for offer in offers if offer.kind is kind), offers[0].kind)
        offer = next(each for each in offers if each.kind is again)
        return Placement(offer, f"{name_of(offer.kind)} again: every other offer of the cluster was tried.")
    return Placement(fresh[0], _reason(work, fresh[0], cluster, tried=tried, only=len(cluster.capacity) == 1))


def _fits(offer: CapacityOffer, size: Size) -> bool:
    cpu = offer.max_cpu_millis is None or size.cpu_millis <= offer.max_cpu_millis
    return cpu and (offer.max_memory_mib is None or size.memory_mib <= offer.max_memory_mib)


def _may_be_spot(work: Work, cluster: ClusterSpec) -> bool:
    if not work.interruptible or _lost_to_spot(work):
        return False
    return _hundredth(work.key) < cluster.spot_percent


def _lost_to_spot(work: Work) -> bool:
    return any(failure.reason in _TAKEN_BACK for failure in work.failures)


def _hundredth(key: WorkKey) -> int:
    """From 0 to 99, evenly spread over a run's work, the same for the same work."""
    return int.from_bytes(hashlib.sha256(f"{key.run_id}:{key.work_id}".encode()).digest()[:4]) % 100


def _reason(
    work: Work, offer: CapacityOffer, cluster: ClusterSpec, *, tried: Sequence[CapacityKind], only: bool
) -> str:
    name = name_of(offer.kind)
    return f"{name[0].upper()}{name[1:]}: {_because(work, offer, cluster, tried=tried, only=only)}."


def _because(
    work: Work, offer: CapacityOffer, cluster: ClusterSpec, *, tried: Sequence[CapacityKind], only: bool
) -> str:
    spot = f"{cluster.spot_percent} %"
    reasons = (
        (bool(tried), f"{name_of(tried[-1])} did not start its pod in time" if tried else ""),
        (only, "the cluster offers nothing else"),
        (offer.kind is CapacityKind.SPOT, f"it may be interrupted, and {spot} of such work goes there"),
        (
            not any(each.kind is CapacityKind.SPOT for each in cluster.capacity),
            "the first of the cluster's offers that takes it",
        ),
        (not work.interruptible, "it must not be interrupted"),
        (_lost_to_spot(work), "an earlier attempt was on capacity that was taken back"),
        (True, f"Spot gets {spot} of the work that may be interrupted, and this is of the rest"),
    )
    return next(sentence for holds, sentence in reasons if holds)
