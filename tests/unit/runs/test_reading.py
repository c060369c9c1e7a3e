"""Reading runs and what they left."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.live import Stream
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import ArtifactCase, ArtifactKind, ArtifactLinks, RunState
from crosswind.contracts.resolved import ResultsIndex
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import FileClass, FileRef, ShardResult, WorkOutcome
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ForbiddenError, InvalidInputError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs import layout
from crosswind.runs.model import (
    Case,
    Commit,
    Lease,
    PlanSummary,
    Progress,
    Run,
    ShardSummary,
    Work,
    WorkState,
    tally_of,
)
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.reading import FindRun, GetRun, ListRuns
from crosswind.runs.usecases.reading_artifacts import FileFilter, ListArtifacts
from crosswind.runs.usecases.reading_results import ListResults, ReadLogs
from crosswind.runs.usecases.suites import GetSuite
from tests.fakes import START, MemoryDocumentStore, MemoryObjectStore, MemoryRunStore, make_run, make_work
from tests.unit.runs.suites_samples import STRANGER, VIEWER, person

PREFIX = f"runs/{make_run().run_id}/work/shard-00000/01-001/"


class Works:
    """The part of a work store that reading needs."""

    def __init__(self, *works: Work) -> None:
        self.works = {work.key: work for work in works}

    def get(self, key: Any) -> Work | None:
        return self.works.get(key)

    def of_run(self, run_id: str) -> Any:
        return iter(self.works.values())

    def tallies(self, run_id: str) -> Any:
        return map(tally_of, self.works.values())


def done(number: int = 0, **changes: Any) -> Work:
    commit = Commit(WorkOutcome.COMPLETED, 1, 1, START, prefix=PREFIX.replace("00000", f"{number:05d}"))
    return make_work(number, state=WorkState.DONE, epoch=1, commit=commit, **changes)


def case(number: int, status: CaseStatus = CaseStatus.PASSED) -> Case:
    return Case(f"id-{number:03d}", "api", "", f"test_{number}", status, 0.1, "shard-00000")


class World:
    def __init__(self, *works: Work, run: Run | None = None) -> None:
        self.runs = MemoryRunStore()
        self.runs.create(run or make_run(), idempotency=None)
        self.run_id = make_run().run_id
        self.artifacts = MemoryObjectStore()
        self.find = FindRun(self.runs, Guard(decide))
        works_store: Any = Works(*works)
        self.get = GetRun(self.find, works_store)
        self.results = ListResults(self.find, self.runs, self.artifacts)
        self.files = ListArtifacts(self.find, works_store, self.artifacts)
        self.logs = ReadLogs(self.find, works_store, self.artifacts)


def test_another_teams_run_is_told_apart_from_none_by_nothing() -> None:
    world = World()
    sentences = []
    for run_id, actor in ((world.run_id, STRANGER), ("run-none", STRANGER)):
        with pytest.raises(NotFoundError) as caught:
            world.get(run_id, detail=False, actor=actor)
        sentences.append(str(caught.value).replace(run_id, "X"))
    assert sentences[0] == sentences[1]
    with pytest.raises(ForbiddenError):
        world.get(world.run_id, detail=False, actor=person())


def test_a_run_that_goes_on_counts_what_shards_tell() -> None:
    summary = ShardSummary(3, 2, 1, 0, 0, 0, cases_key=None)
    lease = Lease("r", START, START + timedelta(seconds=30))
    leased = make_work(
        1, state=WorkState.LEASED, lease=lease, progress=Progress(tests_done=2, tests_failed=1)
    )
    run = make_run(plan=PlanSummary(10, 4, 1, "by-count"), stage_names=("unit",), current_stage=0)
    view = World(done(summary=summary), leased, make_work(2), run=run).get(
        run.run_id, detail=True, actor=VIEWER
    )
    assert (view.tests.total, view.tests.passed, view.tests.failed) == (10, 3, 2)
    assert (view.shards.total, view.shards.done, view.shards.running, view.shards.waiting) == (4, 1, 1, 2)
    assert view.stage == "unit"
    assert [work.state for work in view.work or ()] == ["done", "leased", "waiting"]


def test_folded_results_are_paged_by_row_and_filtered_by_range() -> None:
    world = World()
    cases = [case(n, CaseStatus.FAILED if n < 2 else CaseStatus.PASSED) for n in range(7)]
    for page in range(3):
        key = layout.results_page_key(world.run_id, page)
        documents.write_cases(world.artifacts, key, cases[page * 3 : page * 3 + 3])
    ranges = {CaseStatus.FAILED: (0, 2), CaseStatus.PASSED: (2, 7)}
    index = ResultsIndex(page_size=3, total=7, ranges=ranges)
    documents.write(world.artifacts, layout.results_index_key(world.run_id), index)

    def read(status: CaseStatus | None) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            page = world.results(world.run_id, status=status, limit=2, cursor=cursor, actor=VIEWER)
            assert page.complete
            found += [each.name for each in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found

    assert read(None) == [each.name for each in cases]
    assert read(CaseStatus.PASSED) == [each.name for each in cases[2:]]
    assert read(CaseStatus.MISSING) == []
    with pytest.raises(InvalidInputError):
        world.results(world.run_id, status=None, limit=2, cursor="-1", actor=VIEWER)


def test_failures_are_shown_while_the_run_goes_on() -> None:
    world = World()
    world.runs.add_failures(world.run_id, "shard-00000", [case(1, CaseStatus.FAILED)])
    page = world.results(world.run_id, status=None, limit=50, cursor=None, actor=VIEWER)
    assert ([each.name for each in page.items], page.complete) == (["test_1"], False)


def test_artifacts_are_linked_and_names_that_lead_elsewhere_are_left_out() -> None:
    world = World(done(0), done(1), make_work(2))
    for number in range(2):
        prefix = PREFIX.replace("00000", f"{number:05d}")
        files = [
            (path, layout.artifact_key(prefix, path)) for path in ("a.txt", "b/c.png", "../x", "/etc/passwd")
        ]
        files.append(("stolen.txt", "runs/run-other/secret"))
        result = ShardResult(
            exit_code=0,
            started_at=to_iso(START),
            finished_at=to_iso(START),
            reports=(),
            artifacts=tuple(FileRef(path=path, key=key, size=1) for path, key in files),
        )
        documents.write(world.artifacts, layout.result_key(prefix), result)
    first = world.files(world.run_id, limit=3, cursor=None, actor=VIEWER)
    rest = world.files(world.run_id, limit=3, cursor=first.next_cursor, actor=VIEWER)
    assert [each.path for each in (*first.items, *rest.items)] == ["a.txt", "b/c.png"] * 2
    assert rest.next_cursor is None
    assert {each.expires_in_seconds for each in first.items} == {900}


def test_reports_are_listed_behind_the_artifacts_apart_for_each_run_of_the_command() -> None:
    world = World(done(0))
    runs = [
        FileRef(path=path, key=layout.report_key(PREFIX, run, path), size=1)
        for run, path in ((1, "out/a.xml"), (2, "out/a.xml"), (2, "../x.xml"))
    ]
    result = ShardResult(
        exit_code=1,
        started_at=to_iso(START),
        finished_at=to_iso(START),
        reports=((runs[0],), (runs[1], runs[2])),
        artifacts=(FileRef(path="a.txt", key=layout.artifact_key(PREFIX, "a.txt"), size=1),),
    )
    documents.write(world.artifacts, layout.result_key(PREFIX), result)
    page = world.files(world.run_id, limit=10, cursor=None, actor=VIEWER)
    assert [(each.kind, each.path) for each in page.items] == [
        (ArtifactKind.ARTIFACT, "a.txt"),
        (ArtifactKind.REPORT, "reports/01/out/a.xml"),
        (ArtifactKind.REPORT, "reports/02/out/a.xml"),
    ]
    assert runs[1].key in page.items[2].url


def left(world: World, *files: FileRef, dropped: tuple[str, ...] = ()) -> None:
    result = ShardResult(
        exit_code=1,
        started_at=to_iso(START),
        finished_at=to_iso(START),
        reports=(),
        artifacts=files,
        dropped=dropped,
    )
    documents.write(world.artifacts, layout.result_key(PREFIX), result)


def file(path: str, kind: FileClass, content_type: str = "text/plain", **changes: Any) -> FileRef:
    key = layout.artifact_key(PREFIX, path)
    return FileRef(path=path, key=key, size=1, file_class=kind, content_type=content_type, **changes)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (FileFilter(), ["a.log", "f.png", "p.png"]),
        (FileFilter(file_class=FileClass.SCREENSHOT), ["f.png", "p.png"]),
        (FileFilter(failed=True), ["f.png"]),
        (FileFilter(case="PASSES"), ["p.png"]),
        (FileFilter(case="id-fails"), ["f.png"]),
        (FileFilter(case="id-pass"), []),  # an id counts as a whole
        (FileFilter(file_class=FileClass.LOG, failed=True), []),
        (FileFilter(work_id="shard-00001"), []),
    ],
)
def test_files_are_filtered_by_class_shard_and_by_their_tests(
    wanted: FileFilter, expected: list[str]
) -> None:
    world = World(done(0))
    left(world, file("a.log", FileClass.LOG), *(file(f"{x}.png", FileClass.SCREENSHOT) for x in "fp"))
    links = {
        "f.png": (ArtifactCase(id="id-fails", name="test_fails", status=CaseStatus.FAILED),),
        "p.png": (ArtifactCase(id="id-passes", name="test_passes", status=CaseStatus.PASSED),),
    }
    documents.write(world.artifacts, layout.links_key(PREFIX), ArtifactLinks(files=links))
    page = world.files(world.run_id, wanted=wanted, limit=10, cursor=None, actor=VIEWER)
    assert [each.path for each in page.items] == expected
    assert {each.path: each.cases for each in page.items} == {path: links.get(path, ()) for path in expected}


def test_links_to_untrusted_pages_save_them_unless_asked_to_open_them() -> None:
    world = World(done(0))
    left(
        world, file("r.html", FileClass.REPORT, "text/html"), file("a.png", FileClass.SCREENSHOT, "image/png")
    )
    for pages in (False, True):
        page, picture = world.files(world.run_id, pages=pages, limit=10, cursor=None, actor=VIEWER).items
        assert (page.inline, page.url.endswith("&save")) == (pages, not pages)
        assert picture.inline


def test_what_was_not_kept_is_told_once_with_its_shard() -> None:
    world = World(done(0))
    left(
        world,
        *(file(x, FileClass.LOG) for x in "ab"),
        dropped=("big.bin: it has 9 bytes; at most 8 are kept",),
    )
    first = world.files(world.run_id, limit=1, cursor=None, actor=VIEWER)
    rest = world.files(world.run_id, limit=1, cursor=first.next_cursor, actor=VIEWER)
    assert first.dropped == ("shard-00000: big.bin: it has 9 bytes; at most 8 are kept",)
    assert rest.dropped == ()


def test_a_result_that_cannot_be_read_hides_no_other_shards_files() -> None:
    world = World(done(0), done(1))
    world.artifacts.put(layout.result_key(PREFIX), b'{"exitCode": "many"}')
    prefix = PREFIX.replace("00000", "00001")
    result = ShardResult(
        exit_code=0,
        started_at=to_iso(START),
        finished_at=to_iso(START),
        reports=(),
        artifacts=(FileRef(path="a.txt", key=layout.artifact_key(prefix, "a.txt"), size=1),),
    )
    documents.write(world.artifacts, layout.result_key(prefix), result)
    page = world.files(world.run_id, limit=10, cursor=None, actor=VIEWER)
    assert [(each.work_id, each.path) for each in page.items] == [("shard-00001", "a.txt")]


def test_a_log_of_very_many_small_chunks_is_read_in_several_answers() -> None:
    world = World(done())
    lines = [f"{number:04d}\n" for number in range(600)]
    for number, line in enumerate(lines):
        world.artifacts.put(layout.stream_chunk_key(PREFIX, Stream.LOG, 5 * number), line.encode())
    text, offset, complete, answers = "", 0, False, 0
    while not complete:
        chunk = world.logs(world.run_id, work_id="shard-00000", offset=offset, actor=VIEWER)
        text, offset, complete, answers = text + chunk.text, chunk.next_offset, chunk.complete, answers + 1
    assert text == "".join(lines)
    assert answers == 3


def test_logs_go_on_where_they_were_left_and_never_split_a_character() -> None:
    world = World(done())
    text = "grüße €\n" * 3
    data = text.encode()
    for start in range(0, len(data), 3):
        world.artifacts.put(layout.stream_chunk_key(PREFIX, Stream.LOG, start), data[start : start + 3])
    chunk = world.logs(world.run_id, work_id="shard-00000", offset=0, actor=VIEWER)
    assert (chunk.text, chunk.complete, chunk.next_offset) == (text, True, len(data))
    middle = world.logs(world.run_id, work_id="shard-00000", offset=9, actor=VIEWER)
    assert middle.text == data[9:].decode(errors="replace")
    end = world.logs(world.run_id, work_id="shard-00000", offset=len(data), actor=VIEWER)
    assert (end.text, end.complete, end.next_offset) == ("", True, len(data))


def test_a_character_that_is_not_whole_yet_waits_while_the_shard_runs() -> None:
    running = make_work(state=WorkState.LEASED, epoch=1)
    world = World(running)
    world.artifacts.put(layout.stream_chunk_key(PREFIX, Stream.LOG, 0), "a€".encode()[:-1])
    chunk = world.logs(world.run_id, work_id="shard-00000", offset=0, actor=VIEWER)
    assert (chunk.text, chunk.next_offset, chunk.complete, chunk.attempt) == ("a", 1, False, "01-001")


@pytest.mark.parametrize("work_id", ["../x", "shard-1", "", "shard-00000/../x"])
def test_a_work_id_that_is_none_is_refused(work_id: str) -> None:
    world = World(done())
    with pytest.raises(InvalidInputError):
        world.logs(world.run_id, work_id=work_id, offset=0, actor=VIEWER)
    with pytest.raises(NotFoundError):
        world.logs(world.run_id, work_id="shard-00009", offset=0, actor=VIEWER)


def test_runs_are_listed_for_ones_own_team_only() -> None:
    world = World(run=replace(make_run(), state=RunState.EXECUTING))
    listing = ListRuns(world.runs, Guard(decide))
    every: dict[str, Any] = {"suite": None, "state": None, "verdict": None, "limit": 10, "cursor": None}
    assert len(listing(team=None, actor=VIEWER, **every).items) == 1
    assert not listing(team=None, actor=STRANGER, **every).items
    with pytest.raises(ForbiddenError):
        listing(team="demo", actor=STRANGER, **every)


def test_another_teams_suite_looks_like_none() -> None:
    with pytest.raises(NotFoundError):
        GetSuite(MemoryDocumentStore(), Guard(decide))("shop", team="demo", actor=STRANGER)
