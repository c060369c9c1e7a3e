"""What one pod has cost: its size as it is billed, for the seconds that it is billed."""

from dataclasses import dataclass
from datetime import datetime

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.costs import PriceList
from crosswind.contracts.pods import PodState
from crosswind.runs.costs.prices import fargate_second, node_second
from crosswind.runs.planning.pricing import Size, billed
from crosswind.runs.pods.model import PodRecord

_NEVER_RAN = frozenset({PodState.REFUSED})


@dataclass(frozen=True, slots=True)
class Bill:
    """Of one pod. Seconds and dollars before its agent began are apart from those after."""

    record: PodRecord
    size: Size  # as billed
    startup_seconds: float = 0.0
    running_seconds: float = 0.0
    second: float | None = 0.0  # dollars; None: its machine has no price
    ended: bool = True

    @property
    def seconds(self) -> float:
        """All that is paid for."""
        return self.startup_seconds + self.running_seconds

    @property
    def startup(self) -> float:
        """Dollars before its agent began."""
        return self.startup_seconds * (self.second or 0.0)

    @property
    def running(self) -> float:
        """Dollars from then on."""
        return self.running_seconds * (self.second or 0.0)

    @property
    def dollars(self) -> float:
        """Both."""
        return self.startup + self.running


def bill(record: PodRecord, prices: PriceList, *, now: datetime) -> Bill:
    """A pod that goes on is billed until now.

    Fargate bills from the download of the image, which begins when the pod has its machine, a minute at least. On nodes
    a pod takes its share of the machine for as long as it is there. A pod that never got a machine costs nothing.
    """
    fargate = record.capacity is CapacityKind.FARGATE
    size = (record.provisioned or billed(record.asked)) if fargate else record.asked
    begin = _begin(record)
    ended = record.finished_at is not None or record.state in _NEVER_RAN
    if begin is None:
        return Bill(record, size, ended=ended)
    end = max(record.finished_at or now, begin)
    started = min(max(record.started_at or end, begin), end)
    startup = (started - begin).total_seconds()
    running = (end - started).total_seconds()
    if fargate:
        second: float | None = fargate_second(prices, size)
        running += max(0.0, prices.fargate.least_seconds - startup - running)
    else:
        second = node_second(prices, size, kind=record.capacity, instance_type=record.instance_type)
    return Bill(record, size, startup, running, second, ended)


def _begin(record: PodRecord) -> datetime | None:
    """When it was there to be paid. What has begun and does not say where from is counted from its launch."""
    if record.state in _NEVER_RAN:
        return None
    if record.scheduled_at is not None:
        return record.scheduled_at
    return record.launched_at if record.started_at is not None else None
