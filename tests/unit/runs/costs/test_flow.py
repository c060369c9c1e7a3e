"""Costs out of the stores: what is read, kept and summed, and who may see it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.costs import CostGrouping, TeamCosts
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import RunState
from crosswind.contracts.resolved import ResultsIndex
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import ResourceUse, ShardResult
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ForbiddenError, InvalidInputError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs import layout
from crosswind.runs.costs.prices import builtin_prices
from crosswind.runs.history.model import JobKey, Observation
from crosswind.runs.identity import case_id
from crosswind.runs.model import Case, Run, ShardSummary, Work
from crosswind.runs.pods.naming import Carrier
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.costing import GetRunCost, PriceRuns
from crosswind.runs.usecases.reading import FindRun
from crosswind.runs.usecases.team_costs import GetTeamCosts
from tests.fakes import START, MemoryObjectStore, MemoryRunStore, SettableClock, make_run
from tests.fakes.history import MemoryHistoryStore
from tests.fakes.pods import MemoryPodStore
from tests.fakes.samples import run_id
from tests.unit.runs.costs.test_rules import committed, ended
from tests.unit.runs.suites_samples import STRANGER, VIEWER

NAME = "tests/test_pay.py::test_pays"
USE = ResourceUse(
    source="cgroup",
    samples=600,
    seconds=600,
    cpu_seconds=60,
    cpu_mean_millis=100,
    cpu_p95_millis=200,
    cpu_max_millis=400,
    memory_p95_mib=280,
    memory_max_mib=300,
)


class Works:
    """The part of a work store that costs need."""

    def __init__(self) -> None:
        self.works: dict[str, list[Work]] = {}
        self.read = 0

    def of_run(self, wanted: str) -> Any:
        self.read += 1
        return iter(self.works.get(wanted, []))


class World:
    def __init__(self) -> None:
        self.runs = MemoryRunStore()
        self.artifacts = MemoryObjectStore()
        self.works = Works()
        self.pods = MemoryPodStore()
        self.history = MemoryHistoryStore()
        self.clock = SettableClock(START + timedelta(days=1))
        works: Any = self.works
        self.price = PriceRuns(works, self.pods, self.artifacts, self.clock)
        self.one = GetRunCost(FindRun(self.runs, Guard(decide)), self.price)
        self.team = GetTeamCosts(self.runs, self.history, self.price, Guard(decide), self.clock)

    def ran(self, number: int = 1, *, seconds: float = 2.0, **changes: Any) -> Run:
        """A finished run of one shard with two tests, one of which the history knows."""
        run = make_run(number, **{"state": RunState.FINISHED, **changes})
        self.runs.create(run, idempotency=None)
        work = committed(run=number, cpu_millis=2000, memory_mib=8192)
        prefix = layout.named_attempt_prefix(run.run_id, "shard-00000", "01-001")
        cases_key = f"{prefix}cases"
        commit = replace(work.commit, prefix=prefix) if work.commit else None
        work = replace(work, commit=commit, summary=ShardSummary(2, 2, 0, 0, 0, 0, cases_key=cases_key))
        self.works.works[run.run_id] = [work]
        self.pods.put(ended(work, carrier=Carrier(work.key, 1, 0)))
        identity = case_id(team="demo", suite=run.suite, test="api", variant="", name=NAME)
        cases = (
            Case(identity, "api", "", NAME, CaseStatus.PASSED, seconds, "shard-00000"),
            Case("id-2", "api", "", "other", CaseStatus.PASSED, 6.0, "shard-00000"),
        )
        documents.write_cases(self.artifacts, layout.results_page_key(run.run_id, 0), cases)
        documents.write_cases(self.artifacts, cases_key, cases)
        index = ResultsIndex(page_size=1000, total=2, ranges={})
        documents.write(self.artifacts, layout.results_index_key(run.run_id), index)
        result = ShardResult(started_at=to_iso(START), finished_at=to_iso(START), reports=(), use=USE)
        documents.write(self.artifacts, layout.result_key(prefix), result)
        observation = Observation(run.run_id, run.created_at, "p", seconds, None, default_branch=True)
        job = JobKey("demo", run.suite, "api")
        self.history.record(job, {identity: (NAME, observation)}, now=self.clock.now())
        return run

    def costs(self, **changes: Any) -> TeamCosts:
        asked: dict[str, Any] = {"team": None, "days": 30, "suite": None, "test": None, "actor": VIEWER}
        return self.team(**(asked | changes))


def test_a_runs_cost_is_listed_by_job_by_shard_and_by_test() -> None:
    world = World()
    run = world.ran()
    by_job = world.one(run.run_id, by=CostGrouping.JOB, actor=VIEWER)
    assert by_job.complete
    assert by_job.prices.date == builtin_prices().date
    (job,) = by_job.jobs
    assert (job.test, job.shards, job.tests, job.test_seconds, job.pod_seconds) == ("api", 1, 2, 8.0, 630.0)
    assert job.used is not None
    assert job.used.cpu_p95_millis == 200
    (shard,) = world.one(run.run_id, by=CostGrouping.SHARD, actor=VIEWER).shards
    assert (shard.seconds, shard.startup_seconds, shard.billed_memory_mib) == (630.0, 30.0, 3072)
    first, second = world.one(run.run_id, by=CostGrouping.TEST, actor=VIEWER).tests
    assert (first.name, second.name) == ("other", NAME)
    assert first.dollars == pytest.approx(3 * second.dollars, abs=1e-9)
    assert first.dollars + second.dollars == pytest.approx(by_job.cost.tests, abs=1e-9)


def test_after_a_rerun_tests_are_counted_where_they_ran_in_each_round() -> None:
    world = World()
    run = world.ran(round=2)
    folded = (Case("id-2", "api", "", "other", CaseStatus.PASSED, 6.0, "shard-00009"),)
    documents.write_cases(world.artifacts, layout.results_page_key(run.run_id, 0), folded)
    assert world.one(run.run_id, by=CostGrouping.JOB, actor=VIEWER).jobs[0].tests == 2


def test_another_teams_run_is_no_run() -> None:
    world = World()
    run = world.ran()
    with pytest.raises(NotFoundError):
        world.one(run.run_id, by=CostGrouping.JOB, actor=STRANGER)
    with pytest.raises(ForbiddenError):
        world.costs(team="demo", actor=STRANGER)


def test_an_operators_own_prices_replace_the_built_in_ones() -> None:
    world = World()
    run = world.ran()
    before = world.one(run.run_id, by=CostGrouping.JOB, actor=VIEWER)
    own = builtin_prices().model_copy(
        update={"fargate": builtin_prices().fargate.model_copy(update={"vcpu_hour": 0.0, "gib_hour": 0.0})}
    )
    documents.write(world.artifacts, layout.PRICES_KEY, own)
    after = world.costs()
    assert before.cost.tests > 0
    assert after.cost.tests == 0
    world.artifacts.put(layout.PRICES_KEY, b'{"date": "soon"}')
    with pytest.raises(InvalidInputError, match=r"prices\.json is not a valid PriceList"):
        world.costs()


def test_a_finished_runs_cost_is_counted_once() -> None:
    world = World()
    world.ran()
    first, read = world.costs(), world.works.read
    assert world.costs() == first
    assert world.works.read == read


def test_a_run_whose_pod_goes_on_is_counted_again() -> None:
    world = World()
    world.ran()
    (place, record), *_ = world.pods.records.items()
    world.pods.records[place] = replace(record, finished_at=None)
    world.costs()
    world.pods.records[place] = record
    assert world.costs().cost.tests == pytest.approx(
        world.one(run_id(), by=CostGrouping.JOB, actor=VIEWER).cost.tests
    )


def test_a_teams_runs_are_summed_by_suite_in_the_days_that_are_asked_for() -> None:
    world = World()
    world.ran(1, created_at=START - timedelta(days=40))
    world.ran(2)
    world.ran(3, suite="blog")
    world.ran(4, suite="blog")
    world.runs.create(make_run(5), idempotency=None)  # it goes on
    found = world.costs()
    assert [(each.suite, each.runs) for each in found.suites] == [("blog", 2), ("shop", 1)]
    assert found.cost.total == pytest.approx(sum(each.cost.total for each in found.suites), abs=1e-8)
    assert (found.runs, found.left_out) == (3, 0)
    assert [each.suite for each in world.costs(suite="shop").suites] == ["shop"]
    assert world.costs(days=60).runs == 4


def test_what_cannot_be_counted_in_time_is_left_out_and_said() -> None:
    world = World()
    for number in range(1, 4):
        world.ran(number)

    class Slow:
        def now(self) -> Any:
            world.clock.advance(timedelta(seconds=8))
            return world.clock.now()

    slow = replace(world.team, clock=Slow())
    found = slow(team=None, days=30, suite=None, test=None, actor=VIEWER)
    assert (found.runs, found.left_out) == (2, 1)


def test_one_test_costs_its_seconds_at_the_price_of_its_jobs_seconds() -> None:
    world = World()
    run = world.ran(seconds=2.0)
    by_test = world.one(run.run_id, by=CostGrouping.TEST, actor=VIEWER)
    (found,) = world.costs(test=NAME).tests
    assert found.runs[0].execution_id == run.run_id
    assert not found.runs[0].estimated
    mine = next(each for each in by_test.tests if each.name == NAME)
    assert found.dollars == pytest.approx(mine.dollars, abs=1e-9)
    assert world.costs(test="nobody").tests == ()


def test_a_duration_that_is_not_kept_is_the_median_of_the_others() -> None:
    world = World()
    for number, seconds in ((1, 1.0), (2, 3.0), (3, 5.0)):
        world.ran(number, seconds=seconds, created_at=START + timedelta(minutes=number))
    job = JobKey("demo", "shop", "api")
    identity, known = next(iter(world.history.tests[job].items()))
    observations = (*known.observations[:-1], replace(known.observations[-1], outcome="f", seconds=None))
    world.history.tests[job][identity] = replace(known, observations=observations)
    (found,) = world.costs(test=NAME).tests
    assert [(each.seconds, each.estimated) for each in found.runs] == [
        (2.0, True),
        (3.0, False),
        (1.0, False),
    ]


def test_sizes_that_do_not_fit_come_with_their_saving() -> None:
    world = World()
    for number in range(1, 4):
        world.ran(number)
    (size,) = world.costs().sizes
    assert (size.verdict, size.cpu, size.memory, size.runs) == ("less", "500m", "512Mi", 3)
    assert size.saving_per_month == pytest.approx(size.saving_per_run * 3, rel=1e-3)


@pytest.mark.parametrize("days", [0, 366])
def test_days_are_bounded(days: int) -> None:
    with pytest.raises(InvalidInputError, match="`days`"):
        World().costs(days=days)
