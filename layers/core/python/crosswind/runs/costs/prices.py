"""Prices: the built-in list, an operator's own, and what a second of a pod costs by them."""

from functools import cache
from importlib import resources

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.costs import PriceList, PricesView
from crosswind.runs.planning.pricing import Size

_HOUR = 3600.0
_ON_NODES = frozenset({CapacityKind.SPOT, CapacityKind.ON_DEMAND, CapacityKind.NODES})


@cache
def builtin_prices() -> PriceList:
    """AWS list prices, as they come with this edition."""
    text = (resources.files(__package__) / "prices.json").read_text("utf-8")
    return PriceList.model_validate_json(text)


def view_of(prices: PriceList) -> PricesView:
    """What is told of a list beside the amounts that it gave."""
    return PricesView(date=prices.date, region=prices.region, source=prices.source, currency=prices.currency)


def fargate_second(prices: PriceList, sold: Size) -> float:
    """Dollars for a second of a size that Fargate sells."""
    price = prices.fargate
    return (sold.cpu_millis / 1000 * price.vcpu_hour + sold.memory_mib / 1024 * price.gib_hour) / _HOUR


def node_second(
    prices: PriceList, asked: Size, *, kind: CapacityKind, instance_type: str | None
) -> float | None:
    """Dollars for a second of a pod's share of a machine: the larger one of its CPU and its memory.

    None where the list knows no such machine.
    """
    if kind not in _ON_NODES or instance_type is None:
        return None
    cpu, memory = asked.cpu_millis / 1000, asked.memory_mib / 1024
    spot = kind is CapacityKind.SPOT
    instance = prices.instances.get(instance_type)
    if instance is not None:
        share = max(cpu / instance.vcpus, memory / instance.memory_gib)
        reclaimable = instance.hour * prices.spot_share if instance.spot_hour is None else instance.spot_hour
        hour = (reclaimable if spot else instance.hour) + instance.hour * prices.management_share
        return share * hour / _HOUR
    family = prices.families.get(instance_type.partition(".")[0])
    if family is None:
        return None
    whole = max(cpu, memory / family.gib_per_vcpu) * family.vcpu_hour
    return whole * ((prices.spot_share if spot else 1.0) + prices.management_share) / _HOUR
