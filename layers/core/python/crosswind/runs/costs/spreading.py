"""A run's cost out of its pods, works and cases: by test job, by shard, by test. Pure.

What a shard's pod cost from the start of its agent on is spread over the shard's tests by their durations: loading
the framework, uploading and waiting go with them. Start-up, lost attempts, preparation and the control plane stand
beside it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.costs import PriceList, UseView
from crosswind.contracts.work import WorkKind
from crosswind.runs.costs.billing import Bill, bill
from crosswind.runs.model import Work, WorkState
from crosswind.runs.planning.pricing import Size, cost
from crosswind.runs.pods.model import PodRecord

_ANY = Size(1000, 2048)  # the control plane costs the same for every size


@dataclass(frozen=True, slots=True)
class Dollars:
    """Parts of a cost."""

    tests: float = 0.0
    startup: float = 0.0
    lost: float = 0.0
    preparation: float = 0.0
    control: float = 0.0

    @property
    def total(self) -> float:
        """All parts."""
        return self.tests + self.startup + self.lost + self.preparation + self.control

    def __add__(self, other: "Dollars") -> "Dollars":
        return Dollars(
            self.tests + other.tests,
            self.startup + other.startup,
            self.lost + other.lost,
            self.preparation + other.preparation,
            self.control + other.control,
        )


@dataclass(frozen=True, slots=True)
class CaseTime:
    """A test of a shard, and how long it took."""

    id: str
    test: str
    variant: str
    name: str
    work_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class PricedCase:
    """A test, and its part of its shard."""

    case: CaseTime
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedShard:
    """A piece of work over all its pods."""

    work: Work
    dollars: Dollars
    counted: Bill | None = None  # of the pod whose attempt was committed
    seconds: float = 0.0
    startup_seconds: float = 0.0
    pods: int = 0
    tests: int = 0
    test_seconds: float = 0.0
    variant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedJob:
    """A test job in one variant."""

    test: str
    variant: str
    asked: Size
    capacity: CapacityKind | None
    shards: int = 0
    tests: int = 0
    test_seconds: float = 0.0
    pod_seconds: float = 0.0
    dollars: Dollars = Dollars()
    used: UseView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedRun:
    """A run."""

    dollars: Dollars
    jobs: tuple[PricedJob, ...]
    shards: tuple[PricedShard, ...]
    cases: tuple[PricedCase, ...]
    complete: bool
    unpriced: Mapping[str, int] = field(default_factory=dict)  # pods by the machine that has no price


def price_run(
    works: Sequence[Work],
    pods: Iterable[PodRecord],
    cases: Iterable[CaseTime],
    *,
    prices: PriceList,
    now: datetime,
    uses: Mapping[str, UseView] | None = None,
    batches: float = 0.0,
) -> PricedRun:
    """`uses` says by work id what shards used; `batches` how many each of them leased."""
    bills: defaultdict[str, list[Bill]] = defaultdict(list)
    for record in pods:
        bills[record.carrier.key.work_id].append(bill(record, prices, now=now))
    tests: defaultdict[str, list[CaseTime]] = defaultdict(list)
    for case in cases:
        tests[case.work_id].append(case)
    shards = [
        _shard(work, bills[work.key.work_id], tests[work.key.work_id], now=now, batches=batches)
        for work in works
    ]
    priced = [each for shard in shards for each in _spread(shard, tests[shard.work.key.work_id])]
    whole = sum((shard.dollars for shard in shards), Dollars(control=cost((), _ANY).control))
    unpriced = Counter(
        each.record.instance_type or f"{each.record.capacity.value} capacity"
        for found in bills.values()
        for each in found
        if each.second is None and each.seconds
    )
    return PricedRun(
        dollars=whole,
        jobs=tuple(_jobs(shards, uses or {})),
        shards=tuple(sorted(shards, key=lambda shard: (-shard.dollars.total, shard.work.key.work_id))),
        cases=tuple(sorted(priced, key=lambda each: (-each.dollars, -each.case.seconds, each.case.id))),
        complete=all(each.ended for found in bills.values() for each in found)
        and all(work.state is WorkState.DONE for work in works),
        unpriced=dict(unpriced),
    )


def _shard(
    work: Work, bills: Sequence[Bill], cases: Sequence[CaseTime], *, now: datetime, batches: float
) -> PricedShard:
    counted = _counted(work, bills)
    lost = sum(each.dollars for each in bills if each is not counted)
    dollars = Dollars(lost=lost, control=_control(work, bills, now=now, batches=batches))
    if counted is not None and work.kind is WorkKind.PREPARE:
        dollars = replace(dollars, preparation=counted.dollars)
    elif counted is not None:
        dollars = replace(dollars, tests=counted.running, startup=counted.startup)
    return PricedShard(
        work=work,
        dollars=dollars,
        counted=counted,
        seconds=sum(each.seconds for each in bills),
        startup_seconds=sum(each.startup_seconds for each in bills),
        pods=len(bills),
        tests=len(cases),
        test_seconds=sum(case.seconds for case in cases),
        variant=cases[0].variant if cases else "",
    )


def _counted(work: Work, bills: Sequence[Bill]) -> Bill | None:
    """The pod whose attempt was committed, or is the present one. A claim raises the epoch that a pod was launched with."""
    commit = work.commit
    attempt, below = (commit.attempt, commit.epoch) if commit else (work.attempt, work.epoch + 1)
    of_attempt = [
        each
        for each in bills
        if each.record.carrier.attempt == attempt and each.record.carrier.epoch < max(below, 1)
    ]
    return max(
        of_attempt, key=lambda each: (each.record.carrier.epoch, each.record.carrier.number), default=None
    )


def _control(work: Work, bills: Sequence[Bill], *, now: datetime, batches: float) -> float:
    seconds = sum(each.seconds for each in bills)
    if not bills and work.admitted_at is not None:  # on the pool
        end = work.commit.at if work.commit else now
        seconds = max(0.0, (end - work.admitted_at).total_seconds())
    fixed = cost((), _ANY).control
    return cost([seconds], _ANY, batches=batches if work.kind is WorkKind.SHARD else 0.0).control - fixed


def _spread(shard: PricedShard, cases: Sequence[CaseTime]) -> Iterable[PricedCase]:
    """By duration; evenly where no test took any time."""
    for case in cases:
        part = case.seconds / shard.test_seconds if shard.test_seconds > 0 else 1 / len(cases)
        yield PricedCase(case, shard.dollars.tests * part)


def _jobs(shards: Iterable[PricedShard], uses: Mapping[str, UseView]) -> Iterable[PricedJob]:
    of_job: defaultdict[tuple[str, str], list[PricedShard]] = defaultdict(list)
    for shard in shards:
        if shard.work.kind is WorkKind.SHARD:
            of_job[shard.work.test, shard.variant].append(shard)
    made = []
    for (test, variant), found in of_job.items():
        kinds = Counter(shard.counted.record.capacity for shard in found if shard.counted)
        used = [uses[shard.work.key.work_id] for shard in found if shard.work.key.work_id in uses]
        made.append(
            PricedJob(
                test=test,
                variant=variant,
                asked=Size(found[0].work.cpu_millis, found[0].work.memory_mib),
                capacity=kinds.most_common(1)[0][0] if kinds else None,
                shards=len(found),
                tests=sum(shard.tests for shard in found),
                test_seconds=sum(shard.test_seconds for shard in found),
                pod_seconds=sum(shard.counted.seconds for shard in found if shard.counted),
                dollars=sum((shard.dollars for shard in found), Dollars()),
                used=worst(used),
            )
        )
    return sorted(made, key=lambda job: (-job.dollars.total, job.test, job.variant))


def worst(used: Sequence[UseView]) -> UseView | None:
    """The most that any of them used; None where none is known."""
    if not used:
        return None
    return UseView(
        cpu_p95_millis=max(each.cpu_p95_millis for each in used),
        cpu_max_millis=max(each.cpu_max_millis for each in used),
        memory_max_mib=max(each.memory_max_mib for each in used),
        throttled_share=max(each.throttled_share for each in used),
        samples=sum(each.samples for each in used),
        out_of_memory=any(each.out_of_memory for each in used),
    )
