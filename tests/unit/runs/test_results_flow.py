"""From a prepared run to its verdict, over in-memory stores: PlanRun, IngestShard, CloseStage, FoldRun, JudgeRun, PublishRun and
RecordFailure. What runners would leave behind is written by the `World`.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.adapters.reports.junit import JUnitReader
from crosswind.contracts.requests import CaseStatus, RunState, VerdictKind
from crosswind.contracts.resolved import ResolvedSuite, ResolvedTest
from crosswind.contracts.suites import Framework, GatesSpec, Priority
from crosswind.contracts.tasks import PlanOutcome, StateError
from crosswind.contracts.work import (
    ArchiveRef,
    ArchiveSource,
    Discovery,
    FileRef,
    OrderRef,
    PrepareOrder,
    ShardOrder,
    ShardResult,
    Ticket,
    WorkKind,
    WorkOutcome,
)
from crosswind.kernel.errors import DependencyError, NotFoundError
from crosswind.runs import layout
from crosswind.runs.model import Commit, Run, Work, WorkKey, WorkState
from crosswind.runs.preparing import base_key
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.closing import CloseStage, FoldRun, JudgeRun, PublishRun, RecordFailure
from crosswind.runs.usecases.ingesting import IngestShard
from crosswind.runs.usecases.planning import PlanRun
from tests.fakes.channels import MemoryEventBus, MemoryQueues, MemoryTaskTokens
from tests.fakes.objects import MemoryObjectStore
from tests.fakes.runs import MemoryRunStore
from tests.fakes.samples import make_run, make_work, run_id
from tests.fakes.time import START, SettableClock
from tests.fakes.work import MemoryWorkStore

RUN = run_id()
ARCHIVE = ArchiveRef(key="sources/demo/x.tar.gz", digest="sha256:" + "a" * 64, size=10)
ORDER = PrepareOrder(
    team="demo",
    preparation="key",
    source=ArchiveSource(archive=ARCHIVE),
    setup=(),
    framework=Framework.PYTEST,
    args=(),
    env={},
    timeout_seconds=60,
)


def no_pause(_: int) -> None:
    """Tests do not wait."""


def job(name: str = "unit", **changes: Any) -> ResolvedTest:
    values: dict[str, Any] = {
        "name": name,
        "stage": 0,
        "prepare_work_id": "prepare-00000",
        "framework": Framework.PYTEST,
        "args": (),
        "env": {},
        "secret_refs": {},
        "shards": 2,
        "test_retries": 0,
        "infrastructure_retries": 3,
        "timeout_seconds": 60,
        "reports": (),
        "artifacts": (),
    }
    return ResolvedTest(**{**values, **changes})


def junit(*cases: str) -> str:
    """A report: `a` passes, `a!` fails, `a?` is skipped."""
    marks = {"!": '<failure message="boom">trace</failure>', "?": "<skipped/>"}
    written = "".join(
        f'<testcase classname="t" name="{case.rstrip("!?")}"><properties>'
        f'<property name="crosswind.nodeid" value="t.py::{case.rstrip("!?")}"/></properties>'
        f"{marks.get(case[-1], '')}</testcase>"
        for case in cases
    )
    return f'<testsuites><testsuite name="pytest">{written}</testsuite></testsuites>'


@dataclass
class World:
    """The stores, the use cases over them, and what runners would write."""

    clock: SettableClock = field(default_factory=SettableClock)
    runs: MemoryRunStore = field(default_factory=MemoryRunStore)
    works: MemoryWorkStore = field(default_factory=MemoryWorkStore)
    artifacts: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    tokens: MemoryTaskTokens = field(default_factory=MemoryTaskTokens)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)

    def __post_init__(self) -> None:
        given: dict[str, Any] = {
            "runs": self.runs,
            "works": self.works,
            "artifacts": self.artifacts,
            "pause": no_pause,
        }
        self.plan = PlanRun(**given, clock=self.clock, keep_preparations=timedelta(days=7))
        self.ingest = IngestShard(**given, reader=JUnitReader())
        self.close = CloseStage(**given)
        self.fold = FoldRun(**given)
        self.judge = JudgeRun(**given)
        self.publish = PublishRun(runs=self.runs, bus=self.bus, clock=self.clock, pause=no_pause)
        perform = PerformEffects(queues=MemoryQueues(), tokens=self.tokens)
        self.record = RecordFailure(
            runs=self.runs,
            change=ChangeWork(works=self.works, perform=perform, pause=no_pause),
            clock=self.clock,
            pause=no_pause,
        )

    def submit(self, *tests: ResolvedTest, **changes: Any) -> None:
        suite = ResolvedSuite(
            run_id=RUN,
            team="demo",
            suite="shop",
            priority=Priority.P1,
            timeout_seconds=600,
            concurrency=10,
            stage_names=tuple(f"stage{number}" for number in range(1 + max(test.stage for test in tests))),
            gates=GatesSpec(),
            tests=tests,
        )
        documents.write(self.artifacts, layout.spec_key(RUN), suite.model_copy(update=changes))
        self.runs.create(make_run(), idempotency=None)

    def prepare(self, *ids: str, errors: tuple[str, ...] = (), **commit: Any) -> None:
        """A preparation that ended and found tests `t.py::<id>`."""
        data = ORDER.to_wire().encode()
        key = layout.preparation_orders_key(RUN)
        self.artifacts.put(key, data)
        work = self._done("prepare-00000", OrderRef(key=key, offset=0, length=len(data)), **commit)
        found = Discovery(
            preparation="key",
            archive=ARCHIVE,
            test_ids=tuple(f"t.py::{each}" for each in ids),
            errors=errors,
        )
        assert work.commit is not None
        documents.write(self.artifacts, layout.discovery_key(work.commit.prefix or ""), found)

    def run_shard(self, number: int, *attempts: str, exit_code: int | None = 0, **changes: Any) -> Work:
        """A shard that ended and left one report per attempt."""
        ticket = self.tickets()[number]
        work = self._done(ticket.work_id, ticket.order)
        prefix = f"work/{ticket.work_id}/"
        files = []
        for index, text in enumerate(attempts):
            key = f"{prefix}reports/{index}.xml"
            self.artifacts.put(key, text.encode())
            files.append((FileRef(path=f"{index}.xml", key=key, size=len(text)),))
        result = ShardResult(
            exit_code=exit_code,
            attempts=max(1, len(attempts)),
            started_at="a",
            finished_at="b",
            reports=tuple(files),
        )
        documents.write(self.artifacts, layout.result_key(prefix), result.model_copy(update=changes))
        return work

    def lose_shard(self, number: int, *, outcome: WorkOutcome = WorkOutcome.ERROR) -> None:
        ticket = self.tickets()[number]
        self._done(ticket.work_id, ticket.order, outcome=outcome, reason="lease_lost: no heartbeat")

    def _done(self, work_id: str, order: OrderRef, **commit: Any) -> Work:
        values = {
            "outcome": WorkOutcome.COMPLETED,
            "attempt": 1,
            "epoch": 1,
            "at": START,
            "prefix": f"work/{work_id}/",
        }
        kind = WorkKind.PREPARE if work_id.startswith("prepare") else WorkKind.SHARD
        work = make_work(
            key=WorkKey(RUN, work_id),
            kind=kind,
            order=order,
            test="unit",
            state=WorkState.DONE,
            commit=Commit(**{**values, **commit}),
        )
        return self.works.save(None, work)

    def tickets(self) -> list[Ticket]:
        plan = documents.read_plan(self.artifacts, RUN)
        assert plan is not None
        return [
            Ticket.model_validate_json(line)
            for stage in plan.stages
            for line in self.artifacts.get(stage.tickets_key, limit_bytes=10**6).splitlines()
        ]

    def ingest_all(self) -> None:
        for work in self.works.of_run(RUN):
            if work.kind is WorkKind.SHARD:
                self.ingest(RUN, work.key.work_id)

    def finish(self) -> Run:
        self.fold(RUN)
        self.judge(RUN)
        return self.publish(RUN)

    def verdict(self) -> tuple[VerdictKind, str]:
        verdict = self.finish().verdict
        assert verdict is not None
        return verdict.kind, verdict.reason


@pytest.fixture
def world() -> World:
    return World()


def started(world: World, *ids: str, **changes: Any) -> World:
    """A run of one job in two shards, planned."""
    world.submit(job(**changes))
    world.prepare(*ids)
    assert world.plan(RUN).outcome is PlanOutcome.PROCEED
    return world


def test_a_run_whose_tests_all_pass_is_passed(world: World) -> None:
    started(world, "a", "b", "c")
    world.run_shard(0, junit("a"))
    world.run_shard(1, junit("b", "c?"))
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    assert world.verdict() == (VerdictKind.PASSED, "2 tests passed, 1 skipped.")
    run = world.runs.get(RUN)
    assert run.state is RunState.FINISHED
    assert run.case_counts == {"passed": 2, "skipped": 1}


def test_tickets_point_at_the_orders_of_the_shards(world: World) -> None:
    started(world, "a", "b", "c")
    orders = []
    for ticket in world.tickets():
        data = world.artifacts.get_range(
            ticket.order.key, offset=ticket.order.offset, length=ticket.order.length
        )
        orders.append(ShardOrder.model_validate_json(data))
    assert [order.selection for order in orders] == [("t.py::a",), ("t.py::b", "t.py::c")]
    assert [(order.shard_index, order.shard_count) for order in orders] == [(0, 2), (1, 2)]


def test_a_job_whose_tests_are_not_known_runs_whole(world: World) -> None:
    world.submit(
        job(framework=Framework.COMMAND, shards="auto", prepare_work_id=None, discovery_key="d.json")
    )
    documents.write(world.artifacts, "d.json", Discovery(preparation="key", archive=ARCHIVE))
    assert world.plan(RUN).outcome is PlanOutcome.PROCEED
    world.run_shard(0, junit("x"))
    world.ingest_all()
    assert world.verdict()[0] is VerdictKind.PASSED


def test_the_stored_plan_is_used_again_by_a_recovery(world: World) -> None:
    started(world, "a", "b")
    before = dict(world.artifacts.objects)
    world.works.items.clear()  # a second planning would now find no preparation
    assert world.plan(RUN).outcome is PlanOutcome.PROCEED
    assert world.artifacts.objects == before


def test_a_good_preparation_is_remembered_and_its_work_noted_as_read(world: World) -> None:
    started(world, "a")
    assert world.runs.preparation(base_key(ORDER)) == "work/prepare-00000/discovery.json"
    work = world.works.get(WorkKey(RUN, "prepare-00000"))
    assert work is not None
    assert work.summary is not None


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (
            {"errors": ("t.py: SyntaxError", "u.py")},
            VerdictKind.ERROR,
            "'unit': t.py: SyntaxError (and 1 more)",
        ),
        (
            {"outcome": WorkOutcome.ERROR, "reason": "lease_lost"},
            VerdictKind.ERROR,
            "was given up: lease_lost",
        ),
        ({}, VerdictKind.INCONCLUSIVE, "No test was found in test job 'unit'"),
    ],
)
def test_a_preparation_that_gives_nothing_to_run_stops_the_run_with_its_reason(
    world: World, found: dict[str, Any], verdict: VerdictKind, words: str
) -> None:
    world.submit(job())
    world.prepare(**found)
    answer = world.plan(RUN)
    assert answer.outcome is PlanOutcome.STOP
    assert words in (answer.reason or "")
    assert world.plan(RUN) == answer
    assert world.runs.preparation(base_key(ORDER)) is None
    kind, reason = world.verdict()
    assert kind is verdict
    assert words in reason


def test_many_long_collection_errors_fit_into_the_work_item(world: World) -> None:
    world.submit(job())
    world.prepare(errors=("ü" * 4000,) * 60)
    world.plan(RUN)
    (work,) = world.works.of_run(RUN)
    assert work.summary is not None
    assert 0 < sum(len(fault.encode()) for fault in work.summary.faults) < 200_000


def test_a_preparation_that_never_ended_is_infrastructure(world: World) -> None:
    world.submit(job())
    assert "never ended" in (world.plan(RUN).reason or "")
    assert world.verdict()[0] is VerdictKind.ERROR


def test_a_cancelled_run_is_not_planned_and_ends_as_cancelled(world: World) -> None:
    world.submit(job())
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    assert world.plan(RUN).outcome is PlanOutcome.STOP
    assert world.verdict() == (VerdictKind.CANCELLED, "The run was cancelled by ada.")


def test_failures_are_shown_at_once_and_fail_the_run(world: World) -> None:
    started(world, "a", "b")
    world.run_shard(0, junit("a!"), exit_code=1)
    world.run_shard(1, junit("b"))
    world.ingest_all()
    [shown] = world.runs.failures(RUN)
    assert (shown.name, shown.message, shown.details) == ("t.py::a", "boom", "trace")
    assert world.verdict() == (VerdictKind.FAILED, "1 of 2 tests failed. Failed: t.py::a.")


def test_a_test_that_passes_when_tried_again_is_flaky(world: World) -> None:
    started(world, "a", "b", shards=1)
    world.run_shard(0, junit("a!", "b"), junit("a"))
    world.ingest_all()
    kind, reason = world.verdict()
    assert kind is VerdictKind.PASSED
    assert "flaky" in reason


def test_ingesting_twice_gives_the_same_and_writes_once(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    first = world.ingest(RUN, "shard-00000")
    stored = world.works.get(WorkKey(RUN, "shard-00000"))
    assert world.ingest(RUN, "shard-00000") == first
    assert world.works.get(WorkKey(RUN, "shard-00000")) == stored
    assert (first.tests, first.failed) == (1, 0)


def test_a_shard_that_is_not_committed_is_not_ingested(world: World) -> None:
    started(world, "a", shards=1)
    with pytest.raises(NotFoundError):
        world.ingest(RUN, "shard-00000")
    world.works.save(None, make_work())
    with pytest.raises(DependencyError):
        world.ingest(RUN, "shard-00000")


@pytest.mark.parametrize(
    ("reports", "result", "words"),
    [
        ((), {}, "no report was found"),
        ((junit("a"),), {"exit_code": 1}, "no failed test is reported"),
        ((junit("a"),), {"exit_code": 3}, "internal error"),
        ((junit(),), {"exit_code": 5}, "found no tests"),
        ((junit("a"),), {"timed_out": True, "exit_code": None}, "timeout of 60 s"),
        ((junit("a"),), {"out_of_memory": True, "exit_code": None}, "out of memory"),
        ((junit("a"),), {"exit_code": None}, "was killed"),
        ((junit("a", "a"),), {}, "more than once"),
        ((junit("a"),), {"lost_reports": ("b.xml: it has 9 bytes; at most 8 are kept",)}, "at most 8"),
        ((junit("a")[:-20],), {}, "not read"),
        (("<!DOCTYPE x><testsuites/>",), {}, "document type"),
        ((junit("b"),), {}, "1 planned test has no result"),
    ],
)
def test_evidence_that_is_missing_doubled_or_unreadable_is_never_green(
    world: World, reports: tuple[str, ...], result: dict[str, Any], words: str
) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, *reports, **result)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    kind, reason = world.verdict()
    assert kind is VerdictKind.INCONCLUSIVE
    assert words in reason


@pytest.mark.parametrize("lost", ["result.json", "reports/0.xml"])
def test_files_that_are_gone_make_the_run_inconclusive(world: World, lost: str) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    del world.artifacts.objects[f"work/shard-00000/{lost}"]
    world.ingest_all()
    assert world.verdict()[0] is VerdictKind.INCONCLUSIVE


def test_a_lost_shard_is_an_infrastructure_error_and_no_failed_test(world: World) -> None:
    started(world, "a", "b")
    world.run_shard(0, junit("a"))
    world.lose_shard(1)
    world.ingest_all()
    kind, reason = world.verdict()
    assert kind is VerdictKind.ERROR
    assert "shard-00001 of 'unit' was given up: lease_lost: no heartbeat." in reason
    assert world.runs.get(RUN).case_counts == {"passed": 1, "missing": 1}


def test_a_later_stage_runs_only_after_the_one_before_has_passed(world: World) -> None:
    world.submit(job(shards=1), job("api", stage=1, shards=1))
    world.prepare("a")
    first = world.plan(RUN).next
    assert first is not None
    assert first.stage == 0
    world.run_shard(0, junit("a"))
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP  # not ingested yet
    world.ingest_all()
    following = world.close(RUN, stage=0).next
    assert following is not None
    assert following.stage == 1
    recovered = world.plan(RUN).next
    assert recovered is not None
    assert recovered.stage == 1


def test_a_later_stage_that_was_not_run_is_named_in_the_reason(world: World) -> None:
    world.submit(job(shards=1), job("api", stage=1, shards=1))
    world.prepare("a")
    world.plan(RUN)
    world.run_shard(0, junit("a!"), exit_code=1)
    world.ingest_all()
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    assert world.verdict() == (
        VerdictKind.FAILED,
        "1 of 1 test failed. Failed: t.py::a. Stage 'stage1' (1 test) was not run because of that.",
    )


def test_cancelling_after_a_failure_ends_as_cancelled_and_tells_of_it(world: World) -> None:
    started(world, "a", "b")
    world.run_shard(0, junit("a!"), exit_code=1)
    world.lose_shard(1, outcome=WorkOutcome.CANCELLED)
    world.ingest_all()
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    assert world.close(RUN, stage=0).outcome is PlanOutcome.STOP
    kind, reason = world.verdict()
    assert kind is VerdictKind.CANCELLED
    assert "1 test had ended, of which 1 failed" in reason


def test_a_cancel_between_the_verdict_and_the_end_still_ends_as_cancelled(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.fold(RUN)
    world.judge(RUN)
    world.runs.save(replace(world.runs.get(RUN), cancel_requested_at=START, cancelled_by="ada"))
    verdict = world.publish(RUN).verdict
    assert verdict is not None
    assert verdict.kind is VerdictKind.CANCELLED
    assert verdict.reason == "The run was cancelled by ada. Until then: 1 test passed."


def test_results_lie_in_pages_that_the_index_describes(world: World) -> None:
    names = [f"n{number:04d}" for number in range(1200)]
    started(world, *names, shards=1)
    world.run_shard(0, junit(*names[:-1], names[-1] + "!"), exit_code=1)
    world.ingest_all()
    answer = world.fold(RUN)
    assert (answer.tests, answer.pages) == (1200, 3)
    index = documents.read_index(world.artifacts, RUN)
    assert index is not None
    assert index.ranges == {CaseStatus.FAILED: (0, 1), CaseStatus.PASSED: (1, 1200)}
    first = next(documents.read_cases(world.artifacts, layout.results_page_key(RUN, 0)))
    assert first.name == "t.py::n1199"
    before = dict(world.artifacts.objects)
    world.fold(RUN)
    assert {key: each.data for key, each in world.artifacts.objects.items()} == {
        key: each.data for key, each in before.items()
    }


def test_a_finished_run_is_published_once(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.finish()
    world.publish(RUN)
    [event] = world.bus.published
    assert (event.detail.verdict, event.detail.tests) == ("passed", 1)
    assert world.runs.outbox == {}


def test_an_event_that_could_not_be_sent_stays_and_goes_out_the_next_time(world: World) -> None:
    started(world, "a", shards=1)
    world.bus.fault = DependencyError("the bus is away")
    with pytest.raises(DependencyError):
        world.publish(RUN)
    assert world.runs.get(RUN).state is RunState.FINISHED
    world.bus.fault = None
    world.publish(RUN)
    assert len(world.bus.published) == 1


def test_a_run_that_could_not_be_judged_is_an_error(world: World) -> None:
    started(world, "a", shards=1)
    world.record(RUN, state="JudgeRun", failure=StateError(error="X", cause="y"), ticket=None)
    run = world.publish(RUN)
    assert run.verdict is not None
    assert run.verdict.kind is VerdictKind.ERROR
    assert "JudgeRun gave up: X: y" in run.verdict.reason


def test_a_verdict_is_given_once(world: World) -> None:
    started(world, "a", shards=1)
    first = world.judge(RUN)
    world.run_shard(0, junit("a"))
    world.ingest_all()
    world.fold(RUN)
    assert world.judge(RUN) == first
    assert first.kind is VerdictKind.INCONCLUSIVE


def test_a_recorded_failure_of_a_shard_gives_it_up_and_answers_its_token(world: World) -> None:
    started(world, "a", shards=1)
    ticket = world.tickets()[0]
    world.works.save(None, make_work(key=WorkKey(RUN, ticket.work_id), token="open"))
    world.record(RUN, state="RunShard", failure=StateError(error="States.Timeout"), ticket=ticket)
    assert world.tokens.answers["open"].outcome is WorkOutcome.ERROR
    kind, reason = world.verdict()
    assert kind is VerdictKind.ERROR
    assert "RunShard: States.Timeout" in reason


def test_a_shard_whose_ingestion_gave_up_is_a_fault(world: World) -> None:
    started(world, "a", shards=1)
    world.run_shard(0, junit("a"))
    ticket = world.tickets()[0]
    world.record(RUN, state="IngestShard", failure=StateError(error="Boom"), ticket=ticket)
    kind, reason = world.verdict()
    assert kind is VerdictKind.INCONCLUSIVE
    assert "IngestShard: Boom" in reason


def test_a_shard_that_was_never_enqueued_fails_the_run_as_infrastructure(world: World) -> None:
    started(world, "a", shards=1)
    world.record(RUN, state="RunShard", failure=StateError(error="Boom"), ticket=world.tickets()[0])
    kind, reason = world.verdict()
    assert kind is VerdictKind.ERROR
    assert "shard-00000 was never enqueued" in reason


def test_the_first_failure_of_a_run_is_the_one_that_is_kept(world: World) -> None:
    world.submit(job())
    world.record(RUN, state="PlanRun", failure=StateError(error="First"), ticket=None)
    world.record(RUN, state="FoldResults", failure=StateError(error="Second"), ticket=None)
    assert world.verdict() == (VerdictKind.ERROR, "PlanRun gave up: First.")
