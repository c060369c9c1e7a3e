"""What a pod, a run and a size cost: each rule on values."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from crosswind.contracts.clusters import CapacityKind
from crosswind.contracts.costs import SizeAdvice, UseView
from crosswind.contracts.pods import PodState
from crosswind.contracts.work import WorkKind, WorkOutcome
from crosswind.runs.costs.billing import bill
from crosswind.runs.costs.prices import builtin_prices
from crosswind.runs.costs.sizing import JobUse, advise
from crosswind.runs.costs.spreading import CaseTime, price_run
from crosswind.runs.model import Commit, Work, WorkState
from crosswind.runs.planning import pricing
from crosswind.runs.planning.pricing import Size
from crosswind.runs.pods.model import PodRecord
from crosswind.runs.pods.naming import Carrier
from tests.fakes import START, make_work
from tests.unit.runs.pods.samples import make_record

PRICES = builtin_prices()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


NOW = at(10_000)


def ended(work: Work, **changes: Any) -> PodRecord:
    """Launched at 0, on its machine at 10, its agent began at 40 and ended at 640."""
    values: dict[str, Any] = {
        "state": PodState.SUCCEEDED,
        "provisioned": Size(1000, 3072),
        "scheduled_at": at(10),
        "started_at": at(40),
        "finished_at": at(640),
    }
    return make_record(work, **(values | changes))


def committed(number: int = 0, *, attempt: int = 1, epoch: int = 1, **changes: Any) -> Work:
    commit = Commit(WorkOutcome.COMPLETED, attempt, epoch, at(640), prefix="p/")
    return make_work(
        number,
        state=WorkState.DONE,
        attempt=attempt,
        epoch=epoch,
        commit=commit,
        admitted_at=START,
        **changes,
    )


def case(name: str, seconds: float, work: str = "shard-00000") -> CaseTime:
    return CaseTime(f"id-{name}", "api", "", name, work, seconds)


def test_the_built_in_prices_of_fargate_are_those_that_plans_are_made_with() -> None:
    assert PRICES.fargate.vcpu_hour == pricing.VCPU_HOUR
    assert PRICES.fargate.gib_hour == pricing.GIB_HOUR
    assert PRICES.fargate.least_seconds == pricing.LEAST_BILLED_SECONDS


def test_fargate_bills_what_it_provisioned_from_the_machine_to_the_end() -> None:
    found = bill(ended(make_work()), PRICES, now=NOW)
    second = (1 * 0.04048 + 3 * 0.004445) / 3600
    assert (found.startup_seconds, found.running_seconds) == (30, 600)
    assert found.dollars == pytest.approx(630 * second)


def test_fargate_bills_a_minute_at_least() -> None:
    found = bill(ended(make_work(), started_at=at(20), finished_at=at(25)), PRICES, now=NOW)
    assert (found.startup_seconds, found.seconds) == (10, 60)


def test_a_pod_whose_provision_is_not_told_is_billed_as_the_next_size_that_is_sold() -> None:
    found = bill(ended(make_work(), provisioned=None), PRICES, now=NOW)
    assert found.size == Size(1000, 3072)  # of 1000 m and 2304 MiB, with 256 MiB on top


@pytest.mark.parametrize(
    ("capacity", "instance", "hour"),
    [
        (CapacityKind.SPOT, "m6i.xlarge", 0.048 * (0.35 + 0.12)),
        (CapacityKind.ON_DEMAND, "m6i.xlarge", 0.048 * 1.12),
        (
            CapacityKind.ON_DEMAND,
            "c6i.8xlarge",
            2304 / 1024 / 2 * 0.0425 * 1.12,
        ),  # its memory is the larger share
        (CapacityKind.NODES, "t3.medium", 2304 / 1024 / 4 * 0.0416 * 1.12),
    ],
)
def test_a_pod_on_a_node_costs_its_larger_share(capacity: CapacityKind, instance: str, hour: float) -> None:
    record = ended(make_work(), capacity=capacity, instance_type=instance, provisioned=None)
    assert bill(record, PRICES, now=NOW).dollars == pytest.approx(630 * hour / 3600)


def test_a_machine_without_a_price_is_told_and_counts_as_nothing() -> None:
    work = committed()
    record = ended(
        work, carrier=Carrier(work.key, 1, 0), capacity=CapacityKind.NODES, instance_type="x9.huge"
    )
    priced = price_run([work], [record], [], prices=PRICES, now=NOW)
    assert priced.dollars.tests == 0
    assert priced.unpriced == {"x9.huge": 1}


def test_a_pod_that_never_had_a_machine_costs_nothing() -> None:
    for changes in ({"state": PodState.REFUSED}, {"state": PodState.PENDING}, {"state": PodState.GONE}):
        record = ended(
            make_work(), **{"scheduled_at": None, "started_at": None, "finished_at": at(300), **changes}
        )
        assert bill(record, PRICES, now=NOW).dollars == 0


def test_a_pod_that_goes_on_is_billed_until_now() -> None:
    found = bill(ended(make_work(), state=PodState.RUNNING, finished_at=None), PRICES, now=at(100))
    assert (found.startup_seconds, found.running_seconds, found.ended) == (30, 60, False)


def test_what_a_pod_costs_is_spread_over_its_tests_by_their_durations() -> None:
    work = committed()
    record = ended(work, carrier=Carrier(work.key, 1, 0))
    priced = price_run([work], [record], [case("a", 3), case("b", 1)], prices=PRICES, now=NOW)
    of_pod = bill(record, PRICES, now=NOW)
    assert [each.case.name for each in priced.cases] == ["a", "b"]
    assert [each.dollars for each in priced.cases] == pytest.approx(
        [of_pod.running * 0.75, of_pod.running * 0.25]
    )
    assert priced.dollars.startup == pytest.approx(of_pod.startup)
    assert priced.dollars.tests == pytest.approx(sum(each.dollars for each in priced.cases))
    assert priced.complete


def test_tests_that_took_no_time_share_evenly() -> None:
    work = committed()
    record = ended(work, carrier=Carrier(work.key, 1, 0))
    priced = price_run([work], [record], [case("a", 0), case("b", 0)], prices=PRICES, now=NOW)
    first, second = priced.cases
    assert first.dollars == second.dollars > 0


def test_a_lost_attempt_stands_apart_and_only_the_committed_one_is_spread() -> None:
    work = committed(attempt=2, epoch=3)
    first = ended(work, carrier=Carrier(work.key, 1, 0), state=PodState.FAILED, finished_at=at(340))
    handed_back = ended(work, carrier=Carrier(work.key, 2, 1), finished_at=at(140))
    last = ended(work, carrier=Carrier(work.key, 2, 2))
    priced = price_run([work], [first, handed_back, last], [case("a", 1)], prices=PRICES, now=NOW)
    lost = sum(bill(each, PRICES, now=NOW).dollars for each in (first, handed_back))
    assert priced.dollars.lost == pytest.approx(lost)
    assert priced.cases[0].dollars == pytest.approx(bill(last, PRICES, now=NOW).running)


def test_preparation_is_apart_and_is_no_test_job() -> None:
    work = committed(kind=WorkKind.PREPARE)
    priced = price_run([work], [ended(work, carrier=Carrier(work.key, 1, 0))], [], prices=PRICES, now=NOW)
    assert priced.dollars.preparation > 0
    assert (priced.dollars.tests, priced.dollars.startup, priced.jobs) == (0, 0, ())


def test_the_control_plane_costs_what_the_plan_says_also_on_the_pool() -> None:
    works = [committed(number) for number in range(3)]
    priced = price_run(works, [], [], prices=PRICES, now=NOW, batches=2)
    expected = pricing.cost([640] * 3, Size(1000, 2048), batches=2).control
    assert priced.dollars.control == pytest.approx(expected)
    assert priced.dollars.total == priced.dollars.control


def test_a_run_with_work_that_goes_on_is_not_complete() -> None:
    running = make_work(1, state=WorkState.LEASED, epoch=1, admitted_at=START)
    assert not price_run([committed(), running], [], [], prices=PRICES, now=NOW).complete


USED = UseView(cpu_p95_millis=300, cpu_max_millis=900, memory_max_mib=700, samples=300)


def use(**changes: Any) -> JobUse:
    values: dict[str, Any] = {
        "asked": Size(2000, 8192),
        "used": USED,
        "shards": 4,
        "pod_seconds": 3600.0,
        "compute": 0.5,
        "capacity": CapacityKind.FARGATE,
    }
    return JobUse(**(values | changes))


def advice(*uses: JobUse) -> SizeAdvice | None:
    return advise(uses, suite="shop", test="api", variant="", prices=PRICES, runs_a_month=20)


def told(*uses: JobUse) -> SizeAdvice:
    found = advice(*uses)
    assert found is not None
    return found


def test_a_job_that_uses_a_third_is_advised_a_smaller_size_with_its_saving() -> None:
    found = told(*[use()] * 3)
    assert (found.verdict, found.cpu, found.memory) == ("less", "750m", "1024Mi")  # its agent's 250m among it
    before = (2 * 0.04048 + 9 * 0.004445) * 1  # 2 vCPU, 8192 + 256 + 256 MiB rounded up, for an hour
    after = (1 * 0.04048 + 2 * 0.004445) * 1
    assert found.saving_per_run == pytest.approx(before - after)
    assert found.saving_per_month == pytest.approx((before - after) * 20)


def test_memory_follows_the_maximum_and_keeps_a_quarter_of_room() -> None:
    found = told(*[use()] * 2, use(used=USED.model_copy(update={"memory_max_mib": 4000})))
    assert found.memory == "5120Mi"


def test_what_saves_nothing_is_not_advised() -> None:
    used = USED.model_copy(update={"cpu_p95_millis": 200})
    found = told(*[use(asked=Size(500, 1280), used=used)] * 3)
    assert (found.verdict, found.cpu, found.memory, found.saving_per_run) == ("fits", None, None, 0)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"throttled_share": 0.4}, "throttled"),
        ({"cpu_p95_millis": 1990}, "limit"),
        ({"out_of_memory": True}, "out of memory"),
        ({"memory_max_mib": 9000}, "nearly full"),
    ],
)
def test_a_job_at_its_limit_is_advised_more(changes: dict[str, Any], word: str) -> None:
    used = USED.model_copy(update=changes)
    found = told(*[use(used=used)] * 3)
    assert found.verdict == "more"
    assert word in found.reason


def test_on_nodes_the_share_that_decides_goes_down() -> None:
    found = told(*[use(capacity=CapacityKind.SPOT)] * 3)
    assert found.saving_per_run == pytest.approx(
        0.5 * (1 - 0.375)
    )  # three eighths of the CPU, an eighth of the memory


def test_on_the_pool_nothing_is_saved() -> None:
    assert told(*[use(capacity=None)] * 3).verdict == "fits"


def test_little_evidence_gives_no_advice() -> None:
    few = replace(use(), used=USED.model_copy(update={"samples": 2}))
    assert advice(use(), use()) is None
    assert advice(few, few, few) is None
    assert advice(use(), use(asked=Size(500, 1024)), use(asked=Size(500, 1024))) is None
    assert advice() is None
