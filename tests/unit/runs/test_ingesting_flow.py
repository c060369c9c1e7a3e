"""IngestShard and FoldRun over in-memory stores: evidence that is there, missing, doubled or unreadable."""

from typing import Any

import pytest

from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import Distribution
from crosswind.contracts.tasks import PlanOutcome
from crosswind.contracts.work import FileClass, FileRef
from crosswind.kernel.errors import DependencyError, NotFoundError
from crosswind.runs import layout
from crosswind.runs.model import CaseFile, WorkKey
from crosswind.runs.usecases import documents
from tests.fakes.samples import make_work
from tests.unit.runs.results_world import RUN, World, junit, started


@pytest.fixture
def world() -> World:
    return World()


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


def test_a_test_and_the_files_that_its_report_names_know_each_other(world: World) -> None:
    started(world, "a", "b", shards=1)
    report = junit("a!", "b").replace(
        "<failure", "<system-out>[[ATTACHMENT|/tmp/w/out/a.png]]</system-out><failure"
    )
    artifacts = tuple(
        FileRef(path=path, key=f"k/{path}", size=1, file_class=FileClass.SCREENSHOT)
        for path in ("out/a.png", "out/other.png")
    )
    world.run_shard(0, report, exit_code=1, artifacts=artifacts, working_directory="/tmp/w")
    world.ingest_all()
    [shown] = world.runs.failures(RUN)
    assert shown.artifacts == (CaseFile("out/a.png", "shard-00000", FileClass.SCREENSHOT),)
    links = documents.read_links(world.artifacts, "work/shard-00000/").files
    assert {path: [(each.name, each.status) for each in cases] for path, cases in links.items()} == {
        "out/a.png": [("t.py::a", CaseStatus.FAILED)]
    }
    world.verdict()
    index = documents.read_index(world.artifacts, RUN)
    assert index is not None
    folded = {case.name: case.artifacts for case in documents.read_rows(world.artifacts, RUN, index, first=0)}
    assert folded == {"t.py::a": shown.artifacts, "t.py::b": ()}


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


def test_a_work_list_that_was_not_worked_off_says_where_the_rest_is(world: World) -> None:
    started(world, "a", "b", "c", distribution=Distribution.PULL)
    world.run_shard(0)
    world.run_shard(1)
    world.ingest_all()
    kind, reason = world.verdict()
    assert kind is VerdictKind.INCONCLUSIVE
    assert "3 planned tests have no result" in reason
    assert "of the work list" in reason
    assert "not done: " in reason
    assert "never given out" in reason
