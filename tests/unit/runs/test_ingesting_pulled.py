"""IngestShard for shards that pull: evidence lies in batches, over all attempts of a shard."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from crosswind.adapters.reports.junit import JUnitReader
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import (
    ArchiveRef,
    BatchResult,
    FailFast,
    FileRef,
    InlineReport,
    OrderRef,
    PullRef,
    ShardOrder,
    ShardResult,
    WorkOutcome,
)
from crosswind.runs import layout
from crosswind.runs.model import Case, Commit, ShardSummary, Work, WorkKey, WorkState
from crosswind.runs.pulling.model import Batch, BatchState
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.ingesting import IngestShard
from crosswind.runs.usecases.loading import MergeLoad
from crosswind.runs.usecases.pulling import CommittedBatches
from tests.fakes import (
    START,
    MemoryBarrierStore,
    MemoryObjectStore,
    MemoryPullStore,
    MemoryRunStore,
    MemoryWorkStore,
    make_work,
)
from tests.fakes.samples import run_id
from tests.unit.runs.results_world import junit, no_pause

RUN = run_id()
SHARD = WorkKey(RUN, "shard-00000")
PULL = PullRef(pull_id="00-unit-1", key="pull.json")


class Pulled:
    """One shard, what it committed, and its ingestion."""

    def __init__(self) -> None:
        self.runs, self.works, self.artifacts = MemoryRunStore(), MemoryWorkStore(), MemoryObjectStore()
        self.pulls = MemoryPullStore(self.works)
        self.ended: list[tuple[str, FailFast]] = []  # by fail-fast
        self.ingest = IngestShard(
            runs=self.runs,
            works=self.works,
            artifacts=self.artifacts,
            reader=JUnitReader(),
            committed=CommittedBatches(self.pulls),
            fail_rest=lambda work, mode: self.ended.append((work.key.work_id, mode)),
            merge_load=MergeLoad(self.runs, self.works, self.artifacts, MemoryBarrierStore(self.works)),
            pause=no_pause,
        )
        order = ShardOrder(
            fail_fast=FailFast.JOB,
            muted=("t.py::muted",),
            team="demo",
            test="unit",
            variant="",
            archive=ArchiveRef(key="a", digest="sha256:" + "0" * 64, size=1),
            framework="pytest",
            args=(),
            env={},
            pull=PULL,
            shard_index=0,
            shard_count=1,
            test_retries=1,
            timeout_seconds=60,
            reports=(),
            artifacts=(),
        )
        self.order = order.to_wire().encode()
        self.artifacts.put("orders", self.order)

    def report(self, key: str, text: str) -> FileRef:
        self.artifacts.put(key, text.encode())
        return FileRef(path=key, key=key, size=len(text))

    def batch(self, number: int, epoch: int, tests: Sequence[str], report: str, **result: object) -> Batch:
        """A batch that an attempt of the shard has committed."""
        batch = Batch(
            run_id=RUN,
            pull_id=PULL.pull_id,
            number=number,
            first=number,
            count=1,
            attempt=1,
            state=BatchState.DONE,
            work_id=SHARD.work_id,
            epoch=epoch,
            prefix=f"work/{epoch}/",
        )
        self.pulls.batches.append(batch)
        left = BatchResult(
            tests=tuple(f"t.py::{test}" for test in tests),
            reports=(self.report(layout.batch_report_key(batch, "r.xml"), report),),
        )
        documents.write(self.artifacts, layout.batch_result_key(batch), left.model_copy(update=dict(result)))
        return batch

    def end(self, outcome: WorkOutcome, *runs: str, exit_code: int = 0) -> None:
        """The shard ends, with a report of each of its runs outside of batches."""
        prefix = "work/9/" if outcome is WorkOutcome.COMPLETED else None
        if prefix:
            files = [(self.report(f"{prefix}{number}.xml", text),) for number, text in enumerate(runs)]
            result = ShardResult(exit_code=exit_code, started_at="a", finished_at="b", reports=tuple(files))
            documents.write(self.artifacts, layout.result_key(prefix), result)
        work = make_work(
            key=SHARD,
            test="unit",
            state=WorkState.DONE,
            order=OrderRef(key="orders", offset=0, length=len(self.order)),
            pull_id=PULL.pull_id,
            commit=Commit(outcome=outcome, attempt=1, epoch=9, at=START, prefix=prefix),
        )
        self.works.save(None, work)

    def read(self) -> tuple[ShardSummary, dict[str, Case]]:
        self.ingest(RUN, SHARD.work_id)
        work = self.works.get(SHARD)
        assert isinstance(work, Work)
        assert work.summary is not None
        key = work.summary.cases_key
        cases = documents.read_cases(self.artifacts, key) if key else ()
        return work.summary, {case.name: case for case in cases}


@pytest.fixture
def shard() -> Pulled:
    return Pulled()


def test_batches_of_all_attempts_and_the_retries_of_the_last_one_are_put_together(shard: Pulled) -> None:
    shard.batch(0, epoch=1, tests=("a", "b"), report=junit("a!", "b"))
    shard.batch(1, epoch=2, tests=("c",), report=junit("c!"))
    shard.end(WorkOutcome.COMPLETED, junit(), junit("a", "c!"), exit_code=1)
    summary, cases = shard.read()
    assert summary.faults == ()
    assert {name: (case.status, case.attempts) for name, case in cases.items()} == {
        "t.py::a": (CaseStatus.FLAKY, 2),
        "t.py::b": (CaseStatus.PASSED, 1),
        "t.py::c": (CaseStatus.FAILED, 2),
    }


def test_batches_of_a_shard_that_was_given_up_count(shard: Pulled) -> None:
    shard.batch(0, epoch=1, tests=("a", "b"), report=junit("a!", "b"))
    shard.end(WorkOutcome.ERROR)
    summary, cases = shard.read()
    assert (summary.tests, summary.failed, summary.faults) == (2, 1, ())
    assert cases["t.py::b"].status is CaseStatus.PASSED
    assert [case.name for case in shard.runs.failures(RUN)] == ["t.py::a"]


def test_a_failed_test_ends_the_other_shards_and_one_in_quarantine_does_not(shard: Pulled) -> None:
    shard.batch(0, epoch=1, tests=("muted", "b"), report=junit("muted!", "b"))
    shard.end(WorkOutcome.COMPLETED, junit(), exit_code=1)
    assert shard.read()[0].failed == 1
    assert shard.ended == []
    other = Pulled()
    other.batch(0, epoch=1, tests=("muted", "b"), report=junit("muted!", "b!"))
    other.end(WorkOutcome.COMPLETED, junit(), exit_code=1)
    other.read()
    assert other.ended == [(SHARD.work_id, FailFast.JOB)]


def test_a_shard_that_was_given_up_without_a_batch_holds_nothing(shard: Pulled) -> None:
    shard.end(WorkOutcome.ERROR)
    summary, _ = shard.read()
    assert summary == ShardSummary(0, 0, 0, 0, 0, 0, cases_key=None)


def test_a_shard_for_which_others_left_nothing_is_no_fault(shard: Pulled) -> None:
    shard.end(WorkOutcome.COMPLETED, junit())
    summary, _ = shard.read()
    assert (summary.tests, summary.faults) == (0, ())


def test_a_process_that_ended_badly_without_a_red_test_is_a_fault(shard: Pulled) -> None:
    shard.batch(0, epoch=1, tests=("a",), report=junit("a"))
    shard.end(WorkOutcome.COMPLETED, junit(), exit_code=139)
    summary, _ = shard.read()
    assert "exit status is 139" in summary.faults[0]


def test_a_batch_whose_result_or_report_is_gone_is_a_fault_and_the_others_count(shard: Pulled) -> None:
    gone = shard.batch(0, epoch=1, tests=("a",), report=junit("a"))
    del shard.artifacts.objects[layout.batch_result_key(gone)]
    shard.batch(1, epoch=1, tests=("b",), report=junit("b"), lost_reports=("x.xml: too large",))
    shard.end(WorkOutcome.COMPLETED, junit())
    summary, cases = shard.read()
    assert list(cases) == ["t.py::b"]
    assert "what a batch left cannot be read" in summary.faults[0]
    assert summary.faults[1] == "report x.xml: too large"


def test_a_report_that_lies_in_the_result_counts_as_any_other(shard: Pulled) -> None:
    inline = (InlineReport(path="r.xml", text=junit("a", "b!")),)
    shard.batch(0, epoch=1, tests=("a", "b"), report=junit(), reports=(), inline=inline)
    shard.end(WorkOutcome.COMPLETED, exit_code=1)
    summary, cases = shard.read()
    assert (summary.tests, summary.failed, summary.faults) == (2, 1, ())
    assert cases["t.py::a"].status is CaseStatus.PASSED


def test_batches_of_other_shards_are_theirs(shard: Pulled) -> None:
    batch = shard.batch(0, epoch=1, tests=("a",), report=junit("a"))
    shard.pulls.batches = [replace(batch, work_id="shard-00001")]
    shard.end(WorkOutcome.COMPLETED, junit())
    assert shard.read()[1] == {}


def test_a_record_without_the_plugins_property_goes_by_the_planned_id(shard: Pulled) -> None:
    crashed = '<testsuite><testcase classname="t" name="a"><error message="crashed"/></testcase></testsuite>'
    shard.batch(0, epoch=1, tests=("a",), report=crashed)
    shard.end(WorkOutcome.COMPLETED, junit(), exit_code=1)
    assert shard.read()[1]["t.py::a"].status is CaseStatus.ERROR
