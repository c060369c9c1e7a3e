"""A run's files as one zip: what is in it, when it is built, and what it refuses."""

import gzip
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any, BinaryIO

import pytest

from crosswind.contracts.archives import ArchiveMessage, ArchiveState, ArchiveView
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import ArtifactCase, ArtifactLinks
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.work import FileClass, FileRef, ShardResult, WorkOutcome
from crosswind.kernel.errors import NotFoundError, TooLargeError
from crosswind.platform.access import decide
from crosswind.runs import layout
from crosswind.runs.model import Commit, WorkState
from crosswind.runs.usecases import archiving, documents
from crosswind.runs.usecases.archiving import BuildArchive, GetArchive
from crosswind.runs.usecases.reading import FindRun
from crosswind.runs.usecases.reading_artifacts import FileFilter
from tests.fakes import START, MemoryObjectStore, MemoryRunStore, SettableClock
from tests.fakes.samples import make_run, make_work
from tests.unit.runs.suites_samples import VIEWER
from tests.unit.runs.test_reading import Works

RUN = make_run().run_id


def prefix(number: int) -> str:
    return f"runs/{RUN}/work/shard-{number:05d}/01-001/"


class World:
    def __init__(self, shards: int = 1) -> None:
        self.clock = SettableClock()
        self.store = MemoryObjectStore(clock=self.clock)
        self.ordered: list[ArchiveMessage] = []
        runs = MemoryRunStore()
        runs.create(make_run(), idempotency=None)
        works: Any = Works(*(self._done(number) for number in range(shards)))
        self.get = GetArchive(
            find=FindRun(runs, Guard(decide)),
            works=works,
            artifacts=self.store,
            order=self.ordered.append,
            clock=self.clock,
        )
        self.build = BuildArchive(self.store, self.clock)

    @staticmethod
    def _done(number: int) -> Any:
        commit = Commit(WorkOutcome.COMPLETED, 1, 1, START, prefix=prefix(number))
        return make_work(number, state=WorkState.DONE, epoch=1, commit=commit)

    def leave(self, files: dict[str, bytes], *, shard: int = 0, failed: tuple[str, ...] = ()) -> None:
        """Files as a runner stores them; logs packed, and those of a failed test linked with it."""
        refs = []
        for path, data in files.items():
            key = layout.artifact_key(prefix(shard), path)
            packed = path.endswith(".log")
            kind = FileClass.LOG if packed else FileClass.SCREENSHOT
            refs.append(
                FileRef(
                    path=path,
                    key=key,
                    size=len(data),
                    content_type="text/plain" if packed else "image/png",
                    encoding="gzip" if packed else None,
                    file_class=kind,
                )
            )
            self.store.put(key, gzip.compress(data) if packed else data)
        result = ShardResult(exit_code=0, started_at="a", finished_at="b", reports=(), artifacts=tuple(refs))
        documents.write(self.store, layout.result_key(prefix(shard)), result)
        case = ArtifactCase(id="t", name="test_t", status=CaseStatus.FAILED)
        links = ArtifactLinks(files=dict.fromkeys(failed, (case,)))
        documents.write(self.store, layout.links_key(prefix(shard)), links)

    def ask(self, **wanted: Any) -> ArchiveView:
        return self.get(RUN, wanted=FileFilter(**wanted), actor=VIEWER)

    def opened(self, view: ArchiveView) -> dict[str, bytes]:
        data = self.store.objects[layout.archive_zip_key(RUN, view.archive_id)].data
        with zipfile.ZipFile(BytesIO(data)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is small enough to be built at once."""
    monkeypatch.setattr(archiving, "AT_ONCE_FILES", 0)


def test_a_small_archive_is_there_at_once_with_files_as_the_tests_wrote_them() -> None:
    world = World(shards=2)
    world.leave({"out/a.png": b"png", "run.log": b"line\n" * 100}, failed=("out/a.png",))
    world.leave({"out/a.png": b"other"}, shard=1)
    view = world.ask()
    assert (view.state, view.files, world.ordered) == (ArchiveState.READY, 3, [])
    assert view.url is not None
    assert view.url.endswith("&save")
    found = world.opened(view)
    index = json.loads(found.pop("index.json"))
    assert found == {
        "shard-00000/out/a.png": b"png",
        "shard-00000/run.log": b"line\n" * 100,
        "shard-00001/out/a.png": b"other",
    }
    assert [file["name"] for file in index["files"]] == list(found)
    assert index["files"][0]["tests"] == [{"name": "test_t", "status": "failed"}]
    stored = world.store.objects[layout.archive_zip_key(RUN, view.archive_id)]
    assert stored.tags == {"class": "archive"}
    assert view.size == len(stored.data)


def test_only_what_is_wanted_is_in_it() -> None:
    world = World()
    world.leave({"a.png": b"a", "b.png": b"b", "c.log": b"c"}, failed=("b.png",))
    assert set(world.opened(world.ask(failed=True))) == {"shard-00000/b.png", "index.json"}
    assert set(world.opened(world.ask(file_class=FileClass.LOG))) == {"shard-00000/c.log", "index.json"}
    with pytest.raises(NotFoundError):
        world.ask(case="no test of this name")


@pytest.mark.usefixtures("slow")
def test_a_large_archive_is_ordered_once_and_built_beside() -> None:
    world = World()
    world.leave({"a.png": b"a"})
    first, second = world.ask(), world.ask()
    assert (first.state, second.state) == (ArchiveState.BUILDING, ArchiveState.BUILDING)
    assert first.url is None
    [message] = world.ordered
    world.build(message)
    ready = world.ask()
    assert (ready.state, ready.archive_id) == (ArchiveState.READY, first.archive_id)
    assert len(world.ordered) == 1


@pytest.mark.usefixtures("slow")
def test_a_builder_that_says_nothing_is_asked_again_and_repeating_changes_nothing() -> None:
    world = World()
    world.leave({"a.png": b"a"})
    world.ask()
    world.clock.advance(timedelta(minutes=17))
    view = world.ask()
    assert len(world.ordered) == 2
    for message in world.ordered:
        world.build(message)
    written = dict(world.store.objects)
    world.build(world.ordered[0])
    assert world.store.objects == written
    assert set(world.opened(view)) == {"shard-00000/a.png", "index.json"}


def test_an_archive_that_has_expired_is_built_again() -> None:
    world = World()
    world.leave({"a.png": b"a"})
    key = layout.archive_zip_key(RUN, world.ask().archive_id)
    del world.store.objects[key]
    assert world.ask().state is ArchiveState.READY
    assert key in world.store.objects


def test_a_file_that_has_expired_is_told_and_keeps_nothing_else_out() -> None:
    world = World()
    world.leave({"a.png": b"a", "b.png": b"b"})
    del world.store.objects[layout.artifact_key(prefix(0), "a.png")]
    view = world.ask()
    assert (view.files, view.missing) == (1, ("shard-00000/a.png",))
    assert json.loads(world.opened(view)["index.json"])["missing"] == ["shard-00000/a.png"]


@pytest.mark.parametrize(("name", "most"), [("MOST_FILES", 1), ("MOST_BYTES", 1)])
def test_too_much_is_refused_with_what_to_do(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.leave({"a.png": b"a", "b.png": b"b"})
    monkeypatch.setattr(archiving, name, most)
    with pytest.raises(TooLargeError, match=r"2 files with 2 bytes.* Ask for one class, one shard"):
        world.ask()


def test_building_ends_in_time_says_so_and_leaves_no_archive() -> None:
    world = World()
    world.leave({f"{number}.png": b"a" for number in range(3)})

    class Slow(MemoryObjectStore):
        @contextmanager
        def create(self, key: str, **given: Any) -> Iterator[BinaryIO]:
            with super().create(key, **given) as stream:
                world.clock.advance(timedelta(minutes=15))
                yield stream

    slow = Slow(clock=world.clock)
    slow.objects = world.store.objects
    view = GetArchive(world.get.find, world.get.works, slow, world.get.order, world.clock)(
        RUN, wanted=FileFilter(), actor=VIEWER
    )
    assert view.state is ArchiveState.FAILED
    assert "not built in 14 minutes" in (view.reason or "")
    assert not any(key.endswith(".zip") for key in world.store.objects)
