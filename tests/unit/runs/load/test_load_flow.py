"""A load job from its plan to its verdict, over rounds and against a baseline. The workers are played."""

from typing import Any

import pytest

from crosswind.contracts.load import (
    ComparisonVerdict,
    LoadBaselineSpec,
    LoadResult,
    LoadSpec,
    LoadSummary,
)
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import ShardOrder, ShardResult, Ticket, WorkOutcome
from crosswind.runs import layout
from crosswind.runs.load.recording import Recorder
from crosswind.runs.model import Commit, Verdict, Work, WorkKey, WorkState
from crosswind.runs.usecases import documents
from tests.fakes import START, make_run, make_work
from tests.unit.runs.load import samples
from tests.unit.runs.load.samples import latencies, worker
from tests.unit.runs.rerunning_world import Rounds
from tests.unit.runs.results_world import RUN, job

EARLIER = make_run(9).run_id


class Loads(Rounds):
    """A world with one load job of some workers."""

    def start(self, *, workers: int = 2, **load: Any) -> list[Ticket]:
        spec = LoadSpec(workers=workers, **load)
        self.submit(
            job(framework="k6", shards=workers, load=spec, test_retries=0, reports=(), args=("load.js",))
        )
        self.prepare()
        documents.write(  # a load tool lists nothing
            self.artifacts,
            layout.discovery_key("work/prepare-00000/"),
            documents.read_discovery(self.artifacts, layout.discovery_key("work/prepare-00000/")).model_copy(
                update={"test_ids": None}
            ),
        )
        self.plan(RUN)
        return self.tickets()

    def order(self, ticket: Ticket) -> ShardOrder:
        return documents.read_order_of(self.artifacts, ticket)

    def send(self, ticket: Ticket, measured: LoadResult | None, **result: Any) -> None:
        """A worker that ended; without measurements where `measured` is None."""
        prefix = f"work/{ticket.work_id}/"
        key = layout.load_result_key(prefix)
        if measured is not None:
            documents.write(self.artifacts, key, measured)
        documents.write(
            self.artifacts,
            layout.result_key(prefix),
            ShardResult(
                exit_code=0,
                started_at="a",
                finished_at="b",
                reports=((),),
                load_key=key if measured is not None else None,
            ).model_copy(update=result),
        )
        self.done(ticket, Commit(WorkOutcome.COMPLETED, 1, 1, START, prefix=prefix))

    def done(self, ticket: Ticket, commit: Commit) -> Work:
        work = make_work(
            key=WorkKey(RUN, ticket.work_id),
            order=ticket.order,
            test="unit",
            state=WorkState.DONE,
            commit=commit,
            group=ticket.group,
            group_size=ticket.group_size,
        )
        return self.works.save(None, work)

    def load(self) -> LoadSummary:
        index = documents.read_index(self.artifacts, RUN)
        assert index is not None
        (found,) = index.load
        return found


@pytest.fixture
def world() -> Loads:
    return Loads()


def test_the_workers_of_a_job_are_shards_that_know_each_other(world: Loads) -> None:
    tickets = world.start(workers=3)

    orders = [world.order(ticket) for ticket in tickets]
    assert [ticket.group for ticket in tickets] == ["load-shard-00000"] * 3
    assert {ticket.group_size for ticket in tickets} == {3}
    assert [order.shard_index for order in orders] == [0, 1, 2]
    assert {order.load.workers for order in orders if order.load} == {tuple(t.work_id for t in tickets)}


def test_a_threshold_that_holds_passes_and_the_index_tells_the_merged_figures(world: Loads) -> None:
    one, two = world.start(thresholds={"latency": ("p(95)<500ms",), "throughput": ("count==300",)})
    world.send(one, worker([20.0] * 200))
    world.send(two, worker([40.0] * 100))

    kind, reason = world.end()

    assert (kind, reason) == (VerdictKind.PASSED, "5 tests passed.")
    load = world.load()
    assert load.workers_planned == 2
    assert [each.requests for each in load.workers] == [200, 100]
    assert {each.name for each in load.figures} >= {
        "latency.p50",
        "latency.p99.9",
        "throughput",
        "error_rate",
    }
    assert [(each.metric, each.held) for each in load.thresholds] == [("latency", True), ("throughput", True)]
    assert sum(point.throughput for point in load.points) == 300


def test_a_breached_threshold_fails_the_run_with_the_merged_figure(world: Loads) -> None:
    one, two = world.start(thresholds={"latency": ("p(95)<500ms",)})
    world.send(one, worker([20.0] * 190))
    world.send(two, worker([900.0] * 20))

    kind, reason = world.end()

    assert kind is VerdictKind.FAILED
    assert "Failed: threshold latency p(95)<500ms." in reason
    assert str(world.cases()["threshold latency p(95)<500ms"].message).startswith("p(95) of latency was 90")


def test_workers_that_send_nothing_are_never_green(world: Loads) -> None:
    for ticket in world.start():
        world.send(ticket, Recorder(tool="k6", start_at=samples.START).result({}))

    kind, _ = world.end()

    assert kind is VerdictKind.FAILED
    assert str(world.cases()["load"].message).startswith("No request was sent by 2 workers")


def test_a_lost_worker_makes_the_run_an_error_and_nothing_is_judged(world: Loads) -> None:
    one, two = world.start(thresholds={"latency": ("p(95)<500ms",)})
    world.send(one, worker([20.0] * 190))
    world.done(two, Commit(WorkOutcome.ERROR, 2, 2, START, reason="not_started: the load began without it"))

    kind, reason = world.end()

    assert kind is VerdictKind.ERROR
    assert "not_started: the load began without it" in reason
    assert world.statuses() == {"load": CaseStatus.ERROR}
    assert "1 of 2 workers measured to the end; shard-00001" in str(world.cases()["load"].message)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"exit_code": 107}, "the script has thrown an error"),
        ({"exit_code": None, "timed_out": True}, "ran into the timeout"),
    ],
)
def test_a_worker_that_did_not_end_well_keeps_the_run_from_green(
    world: Loads, result: dict[str, Any], told: str
) -> None:
    one, two = world.start()
    world.send(one, worker([20.0] * 100))
    world.send(two, worker([20.0] * 100), **result)

    kind, reason = world.end()

    assert kind is VerdictKind.INCONCLUSIVE
    assert told in reason


def test_a_script_that_cannot_be_read_is_told(world: Loads) -> None:
    one, two = world.start()
    error = "k6 cannot run the script: it ended with exit status 107; see the log"
    for ticket in (one, two):
        world.send(ticket, None, exit_code=107, load_error=error)

    kind, _ = world.end()

    assert kind is VerdictKind.FAILED
    assert error in str(world.cases()["load"].message)


def test_a_rerun_sends_the_whole_load_again_behind_a_barrier_of_its_own(world: Loads) -> None:
    one, two = world.start(thresholds={"latency": ("p(95)<500ms",)})
    world.send(one, worker([20.0] * 190))
    world.send(two, worker([900.0] * 20))
    world.end()

    world.rerun()

    tickets = world.tickets()
    orders = [world.order(ticket) for ticket in tickets]
    assert [ticket.work_id for ticket in tickets] == ["shard-00002", "shard-00003"]
    assert {ticket.group for ticket in tickets} == {"load-shard-00002"}
    assert {order.load.workers for order in orders if order.load} == {("shard-00002", "shard-00003")}
    for ticket in tickets:
        world.send(ticket, worker([20.0] * 100))
    kind, _ = world.end()
    assert kind is VerdictKind.PASSED
    assert world.load().group == "load-shard-00002"
    assert world.cases()["threshold latency p(95)<500ms"].status is CaseStatus.FLAKY


BASELINE = LoadBaselineSpec(max_regression_percent=10)


def with_a_baseline(world: Loads, before: LoadResult, after: LoadResult, **spec: Any) -> VerdictKind:
    """The verdict of a run whose suite has passed once before."""
    (ticket,) = world.start(workers=1, baseline=BASELINE.model_copy(update=spec))
    world.send(ticket, after)
    earlier = Loads()
    (ticket,) = earlier.start(workers=1)
    earlier.send(ticket, before)
    assert earlier.end()[0] is VerdictKind.PASSED
    key = layout.load_merged_key(EARLIER, "load-shard-00000")
    world.artifacts.put(key, earlier.artifacts.get(str(earlier.load().merged_key), limit_bytes=10**7))
    index = documents.read_index(earlier.artifacts, RUN)
    assert index is not None
    summary = earlier.load().model_copy(update={"merged_key": key})
    documents.write(
        world.artifacts, layout.results_index_key(EARLIER), index.model_copy(update={"load": (summary,)})
    )
    run = make_run(9, state=RunState.FINISHED, verdict=Verdict(VerdictKind.PASSED, "good"))
    world.runs.create(run, idempotency=None)
    return world.end()[0]


@pytest.mark.parametrize("wanted", ["last-passed", EARLIER])
def test_a_run_that_is_surely_slower_than_the_baseline_fails(world: Loads, wanted: str) -> None:
    before, after = worker(latencies(6000, seed=2)), worker(latencies(6000, median=120.0))

    kind = with_a_baseline(world, before, after, run=wanted)

    assert kind is VerdictKind.FAILED
    comparison = world.load().comparison
    assert comparison is not None
    assert comparison.baseline_run == EARLIER
    assert {each.name: each.verdict for each in comparison.figures} == {
        "latency.p95": ComparisonVerdict.WORSE,
        "throughput": ComparisonVerdict.WITHIN,
        "error_rate": ComparisonVerdict.WITHIN,
    }
    assert world.cases()["baseline latency.p95"].status is CaseStatus.FAILED


def test_a_run_like_the_baseline_passes(world: Loads) -> None:
    assert (
        with_a_baseline(world, worker(latencies(9000, seed=2)), worker(latencies(9000))) is VerdictKind.PASSED
    )


def test_too_little_data_for_a_comparison_is_inconclusive_and_says_so(world: Loads) -> None:
    kind = with_a_baseline(world, worker(latencies(6000)), worker(latencies(100), seconds=4.0))

    assert kind is VerdictKind.INCONCLUSIVE
    verdict = world.runs.get(RUN).verdict
    assert verdict is not None
    assert "the comparison with" in verdict.reason.lower()
    assert "this run has 4 slices of time, and it takes 8" in verdict.reason


def test_the_first_run_has_nothing_to_be_compared_with_and_may_pass(world: Loads) -> None:
    (ticket,) = world.start(workers=1, baseline=BASELINE)
    world.send(ticket, worker([20.0] * 100))

    assert world.end()[0] is VerdictKind.PASSED
    assert world.statuses()["baseline"] is CaseStatus.SKIPPED


def test_a_baseline_that_was_named_and_is_not_there_is_inconclusive(world: Loads) -> None:
    (ticket,) = world.start(workers=1, baseline=BASELINE.model_copy(update={"run": EARLIER}))
    world.send(ticket, worker([20.0] * 100))

    kind, reason = world.end()

    assert kind is VerdictKind.INCONCLUSIVE
    assert "the baseline cannot be read" in reason
