"""A run over in-memory stores, from PlanRun to PublishRun, with what runners would leave behind."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from crosswind.adapters.reports.junit import JUnitReader
from crosswind.contracts.requests import VerdictKind
from crosswind.contracts.resolved import ResolvedSuite, ResolvedTest
from crosswind.contracts.suites import Distribution, GatesSpec, Priority
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import (
    ArchiveRef,
    ArchiveSource,
    Discovery,
    FailFast,
    FileRef,
    OrderRef,
    PrepareOrder,
    ShardResult,
    Ticket,
    WorkKind,
    WorkOutcome,
)
from crosswind.runs import layout
from crosswind.runs.model import Commit, Run, Work, WorkKey, WorkState
from crosswind.runs.planning.launching import POOL
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.changing import ChangeWork, PerformEffects
from crosswind.runs.usecases.closing import CloseStage, PublishRun, RecordFailure
from crosswind.runs.usecases.discovering import ReadDiscovery
from crosswind.runs.usecases.following import EndBeside, FollowBeside
from crosswind.runs.usecases.ingesting import IngestShard
from crosswind.runs.usecases.judging import FoldRun, JudgeRun
from crosswind.runs.usecases.loading import MergeLoad
from crosswind.runs.usecases.planning import PlanRun
from crosswind.runs.usecases.pulling import CommittedBatches, MeasureShortfall, OpenWorkList, TellShortfall
from tests.fakes.barriers import MemoryBarrierStore
from tests.fakes.channels import MemoryEventBus, MemoryQueues, MemoryTaskTokens
from tests.fakes.history import MemoryHistoryStore, MemoryQuarantineStore
from tests.fakes.objects import MemoryObjectStore
from tests.fakes.pulls import MemoryPullStore
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
    framework="pytest",
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
        "framework": "pytest",
        "args": (),
        "env": {},
        "secret_refs": {},
        "shards": 2,
        "distribution": Distribution.STATIC,
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
    history: MemoryHistoryStore = field(default_factory=MemoryHistoryStore)
    quarantines: MemoryQuarantineStore = field(default_factory=MemoryQuarantineStore)

    def __post_init__(self) -> None:
        self.pulls = MemoryPullStore(self.works)
        self.barriers = MemoryBarrierStore(self.works)
        given: dict[str, Any] = {
            "runs": self.runs,
            "works": self.works,
            "artifacts": self.artifacts,
            "pause": no_pause,
        }
        discover = ReadDiscovery(**given, clock=self.clock, keep_preparations=timedelta(days=7))
        self.plan = PlanRun(
            runs=self.runs,
            artifacts=self.artifacts,
            history=self.history,
            quarantines=self.quarantines,
            discover=discover,
            launching=POOL,
            clock=self.clock,
            pause=no_pause,
        )
        self.ended: list[tuple[str, FailFast]] = []  # by fail-fast
        self.ingest = IngestShard(
            **given,
            reader=JUnitReader(),
            committed=CommittedBatches(self.pulls),
            fail_rest=lambda work, mode: self.ended.append((work.key.work_id, mode)),
            merge_load=MergeLoad(self.runs, self.works, self.artifacts, self.barriers),
        )
        telling: dict[str, Any] = {
            "runs": self.runs,
            "bus": self.bus,
            "clock": self.clock,
            "pause": no_pause,
        }
        self.follow_beside = FollowBeside(**telling)
        self.close = CloseStage(
            **given, quarantines=self.quarantines, end_beside=EndBeside(**telling), clock=self.clock
        )
        shortfall = TellShortfall(OpenWorkList(self.artifacts), MeasureShortfall(self.pulls))
        self.fold = FoldRun(**given, quarantines=self.quarantines, shortfall=shortfall, clock=self.clock)
        self.judge = JudgeRun(**given, history=self.history)
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


def started(world: World, *ids: str, **changes: Any) -> World:
    """A run of one job in two shards, planned."""
    world.submit(job(**changes))
    world.prepare(*ids)
    assert world.plan(RUN).outcome is PlanOutcome.PROCEED
    return world
