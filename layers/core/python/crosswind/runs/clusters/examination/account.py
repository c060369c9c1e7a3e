"""Whether an AWS account lets a deployment run as many shards at once as it wants to. Pure.

New accounts may have 10 concurrent Lambdas and a few vCPUs of Fargate: a run would then wait, or be throttled, for a
reason that nothing in it tells.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crosswind.runs.clusters.examination.ports import Finding

POD_VCPUS = 1.0
"""Of a shard that asks for nothing special, as Fargate sells it."""

_CONSOLE = "https://{region}.console.aws.amazon.com/servicequotas/home/services/{service}/quotas/{code}"
_BESIDE = 40
"""Lambdas of the API, the scheduler and the sweeps, at once on a busy day."""

_ENDING = 0.1
"""The part of all shards whose results are read at the same moment, where many end together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaKind:
    """One quota of Service Quotas."""

    name: str
    service: str
    code: str
    by_slot: float
    beside: float = 0.0
    required: bool = True

    def needed(self, slots: int) -> int:
        """For so many shards at once."""
        return math.ceil(slots * self.by_slot + self.beside)


QUOTAS = (
    QuotaKind(name="Fargate On-Demand vCPUs", service="fargate", code="L-3032A538", by_slot=POD_VCPUS),
    QuotaKind(
        name="Lambda concurrent executions",
        service="lambda",
        code="L-B99A9384",
        by_slot=_ENDING,
        beside=_BESIDE,
    ),
    QuotaKind(
        name="Spot vCPUs (standard)",
        service="ec2",
        code="L-34B43A08",
        by_slot=POD_VCPUS,
        required=False,  # what finds no Spot goes to the next offer
    ),
    QuotaKind(
        name="On-Demand vCPUs (standard)",
        service="ec2",
        code="L-1216C47A",
        by_slot=POD_VCPUS,
        required=False,
    ),
    QuotaKind(name="EKS clusters", service="eks", code="L-1194D53C", by_slot=0.0, beside=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaFact:
    """What the account has."""

    limit: float | None
    used: float | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetFact:
    """One subnet of the deployment."""

    id: str
    zone: str
    free: int


def judge_quotas(
    facts: Sequence[tuple[QuotaKind, QuotaFact]], *, slots: int, region: str
) -> Iterator[Finding]:
    """Limit, use and need of each."""
    for kind, fact in facts:
        link = _CONSOLE.format(region=region, service=kind.service, code=kind.code)
        needed, check = kind.needed(slots), f"quota: {kind.name}"
        if fact.limit is None:
            yield Finding(
                check=check,
                ok=False,
                detail=f"not told: {fact.trouble or 'the account has no such quota'}",
                fix=f"look there: {link}",
                required=False,
            )
            continue
        used = "" if fact.used is None else f", {fact.used:g} used"
        free = fact.limit - (fact.used or 0.0)
        yield Finding(
            check=check,
            ok=free >= needed,
            detail=f"{fact.limit:g}{used}; {needed} needed for {slots} shards at once",
            fix=f"ask for {math.ceil(needed + (fact.used or 0.0))}: {link}",
            required=kind.required,
        )


def judge_subnets(subnets: Sequence[SubnetFact], *, slots: int) -> Finding:
    """A pod on Fargate takes an address, and the last zone with addresses left must hold what the others cannot."""
    check = "free addresses"
    if not subnets:
        return Finding(
            check=check,
            ok=False,
            detail="no subnet is tagged with the stage",
            fix="deploy the compute stack, or name its stage: --stage",
            required=False,
        )
    free = sum(each.free for each in subnets)
    shown = ", ".join(f"{each.zone} {each.free}" for each in subnets)
    return Finding(
        check=check,
        ok=free >= slots,
        detail=f"{free} ({shown}); {slots} needed",
        fix="give the stage larger subnets (`network` in cdk/stages.py), or fewer slots",
    )
