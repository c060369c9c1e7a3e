"""A run's report out of the stores: what it gathers, what bounds it, and who may have it."""

from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.live import Stream
from crosswind.contracts.requests import ReportFormat, RunState, VerdictKind
from crosswind.contracts.resolved import ResultsIndex
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import FileRef, ShardResult
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import NotFoundError
from crosswind.runs import layout
from crosswind.runs.history.model import JobKey, Observation, TestHistory
from crosswind.runs.model import Case, Run, Verdict
from crosswind.runs.reporting.model import RunReport
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reporting import ReportRun
from tests.fakes import START, SettableClock, make_run
from tests.fakes.history import MemoryHistoryStore
from tests.unit.runs.suites_samples import STRANGER, VIEWER
from tests.unit.runs.test_reading import PREFIX, World, done

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40
DAY = timedelta(days=1)


def finished(number: int = 1, **changes: Any) -> Run:
    verdict = Verdict(VerdictKind.FAILED, "1 of 3 tests failed")
    given = {"state": RunState.FINISHED, "verdict": verdict, "case_counts": {"failed": 1, "passed": 2}}
    return make_run(
        number, **{**given, "started_at": START, "finished_at": START + timedelta(seconds=9), **changes}
    )


def failed(
    name: str = "tests/test_cart.py::test_pays_the_order", message: str = "no order 17", **fields: Any
) -> Case:
    return Case("id-1", "api", "", name, CaseStatus.FAILED, 1.5, "shard-00000", message=message, **fields)


def passed(number: int) -> Case:
    return Case(f"id-p{number}", "api", "", f"test_{number}", CaseStatus.PASSED, 0.1, "shard-00001")


class Reports(World):
    """A finished run of two shards, one with a failure, its log and its screenshots."""

    def __init__(self, *cases: Case, run: Run | None = None, folded: bool = True) -> None:
        super().__init__(done(0), done(1), run=run or finished())
        self.history = MemoryHistoryStore()
        works: Any = self.get.works
        self.report = ReportRun(
            self.get, self.runs, works, self.artifacts, self.history, SettableClock(START + DAY)
        )
        if folded:
            self.fold(self.run_id, *cases)

    def fold(self, run_id: str, *cases: Case) -> None:
        """Store folded results, worst first."""
        documents.write_cases(self.artifacts, layout.results_page_key(run_id, 0), cases)
        index = ResultsIndex(page_size=1000, total=len(cases), ranges={})
        documents.write(self.artifacts, layout.results_index_key(run_id), index)

    def leave(self, *paths: str) -> None:
        """Files that the first shard uploaded."""
        files = []
        for path in paths:
            key = layout.artifact_key(PREFIX, path)
            self.artifacts.put(key, PNG)
            files.append(FileRef(path=path, key=key, size=len(PNG), content_type="image/png"))
        result = ShardResult(
            started_at=to_iso(START), finished_at=to_iso(START), reports=(), artifacts=tuple(files)
        )
        documents.write(self.artifacts, layout.result_key(PREFIX), result)

    def read(self, form: ReportFormat = ReportFormat.JSON) -> bytes:
        self.report(self.run_id, form=form, actor=VIEWER)
        name = {"json": "report.json", "html": "report.html"}[form.value]
        return self.artifacts.get(layout.run_report_key(self.run_id, name), limit_bytes=10**7)

    def gathered(self) -> RunReport:
        return RunReport.model_validate_json(self.read())


def test_a_report_is_stored_beside_the_run_and_linked() -> None:
    world = Reports(failed(), passed(1), passed(2))
    link = world.report(world.run_id, form=ReportFormat.HTML, actor=VIEWER)
    page = world.read(ReportFormat.HTML)
    assert (link.file_name, link.complete, link.size) == ("report.html", True, len(page))
    assert layout.run_report_key(world.run_id, "report.html") in link.url
    assert b"1 of 3 tests failed" in page


def test_it_tells_the_verdict_the_failures_and_the_shards() -> None:
    report = Reports(failed(), passed(1), passed(2)).gathered()
    assert report.verdict is not None
    assert (report.verdict.kind, report.counts.total, report.counts.failed) == (VerdictKind.FAILED, 3, 1)
    assert [case.name for case in report.failures] == ["tests/test_cart.py::test_pays_the_order"]
    assert [(shard.work_id, shard.failed) for shard in report.shards] == [
        ("shard-00000", 1),
        ("shard-00001", 0),
    ]
    assert report.run is not None
    assert report.run.suite == "shop"


def test_the_end_of_a_failed_shards_log_is_kept() -> None:
    world = Reports(failed())
    world.artifacts.put(layout.stream_chunk_key(PREFIX, Stream.LOG, 0), b"early\n" * 5000)
    world.artifacts.put(layout.stream_chunk_key(PREFIX, Stream.LOG, 30_000), b"the last line\n")
    tail = world.gathered().shards[0].log_tail
    assert tail is not None
    assert tail.endswith("early\nthe last line\n")
    assert len(tail) <= 6 * 1024
    assert world.gathered().shards[1].log_tail is None


def test_a_screenshot_goes_to_the_test_that_its_name_tells() -> None:
    other = Case("id-2", "api", "", "tests/test_cart.py::test_empties", CaseStatus.FAILED, 1, "shard-00000")
    world = Reports(failed(), other)
    world.leave("shots/test-pays-the-order-1.png", "shots/unknown.png")
    report = world.gathered()
    assert [[file.path for file in case.files] for case in report.cases] == [
        ["shots/test-pays-the-order-1.png"],
        [],
    ]
    assert report.cases[0].files[0].data is not None
    assert b"data:image/png;base64," in world.read(ReportFormat.HTML)


def test_the_only_failure_of_a_shard_has_its_pictures() -> None:
    world = Reports(failed())
    world.leave("shots/unknown.png")
    assert [file.path for file in world.gathered().cases[0].files] == ["shots/unknown.png"]


def test_a_failure_has_its_outcomes_of_earlier_runs() -> None:
    world = Reports(failed(), passed(1))
    seen = [
        Observation(run_id, START - DAY, outcome, None, None, True)
        for run_id, outcome in (("run-a", "p"), ("run-b", "f"), (world.run_id, "f"))
    ]
    test = TestHistory(id="id-1", name="x", first_seen=START, observations=tuple(seen))
    world.history.tests[JobKey("demo", "shop", "api", "")] = {"id-1": test}
    report = world.gathered()
    assert [each.outcome for each in report.cases[0].history] == ["f", "p"]
    assert report.cases[1].history == ()


def test_a_cause_is_new_when_no_run_before_had_it() -> None:
    world = Reports(failed(), failed("b", "the stock is gone altogether today"))
    assert world.gathered().clusters.sentence == "2 failures, 2 causes"
    earlier = finished(2, created_at=make_run().created_at - DAY)
    later = finished(3, created_at=make_run().created_at + DAY)
    for run in (earlier, later):
        world.runs.create(run, idempotency=None)
    world.fold(earlier.run_id, failed(message="no order 99"), passed(1))
    world.fold(later.run_id, failed(message="the stock is gone altogether today"))
    clusters = world.gathered().clusters
    assert clusters.sentence == "2 failures, 2 causes, 1 new"
    assert clusters.compared_with == (earlier.run_id,)
    assert [(each.message, each.new) for each in clusters.clusters] == [
        ("the stock is gone altogether today", True),
        ("no order <n>", False),
    ]


def test_a_run_that_goes_on_tells_its_failures_and_that_it_goes_on() -> None:
    world = Reports(run=make_run(), folded=False)
    world.runs.add_failures(world.run_id, "shard-00000", [failed()])
    report = world.gathered()
    assert (report.complete, report.verdict) == (False, None)
    assert [case.message for case in report.failures] == ["no order 17"]


def test_strangers_get_no_report() -> None:
    world = Reports(failed())
    with pytest.raises(NotFoundError):
        world.report(world.run_id, form=ReportFormat.HTML, actor=STRANGER)
