"""Which files are uploaded, and which are not and why; and the cache of archives."""

import gzip
import os
from pathlib import Path

import pytest

from crosswind.contracts.work import ArchiveRef, FileClass, FileRef
from crosswind.kernel.errors import DependencyError
from crosswind.kernel.json import digest_bytes
from crosswind.runner import uploads
from crosswind.runner.archives import ArchiveCache, ArchiveLimits
from crosswind.runner.faults import Cause, InterruptedAttemptError, Interruption
from crosswind.runner.uploads import (
    PACKED_FROM_BYTES,
    GuardedStore,
    UploadLimits,
    choose,
    stamps,
    upload_all,
    upload_artifacts,
)
from crosswind.runs.files import content_type
from tests.fakes import MemoryObjectStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "out" / "deep").mkdir(parents=True)
    (folder / "out" / "a.txt").write_text("a")
    (folder / "out" / "deep" / "b.html").write_text("bb")
    (tmp_path / "secret").write_text("secret")
    return folder


def test_a_folder_stands_for_all_that_is_in_it(root: Path) -> None:
    assert sorted(choose(root, ["out"]).files) == ["out/a.txt", "out/deep/b.html"]
    assert sorted(choose(root, ["**/*.html", "out/**/*"]).files) == ["out/a.txt", "out/deep/b.html"]


def test_nothing_outside_of_the_working_directory_is_uploaded(root: Path) -> None:
    (root / "out" / "link").symlink_to("../../secret")
    (root / "out" / "folder").symlink_to("/etc")
    (root / "out" / "fine").symlink_to("a.txt")
    os.mkfifo(root / "out" / "pipe")
    chosen = choose(root, ["out/*", "out/folder/passwd", "../secret", "/etc/passwd"])
    assert sorted(chosen.files) == ["out/a.txt", "out/deep/b.html", "out/fine"]
    assert sorted(chosen.dropped) == [
        "../secret: a pattern must stay inside the working directory",
        "/etc/passwd: a pattern must stay inside the working directory",
        "out/folder/passwd: it is a link that leads out of the working directory",
        "out/folder: it is a link that leads out of the working directory",
        "out/link: it is a link that leads out of the working directory",
    ]


def test_more_names_than_a_bound_are_neither_held_nor_taken_for_new(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_NAMES", 3)
    for number in range(10):
        (root / "out" / f"{number}.txt").write_text("x")

    before = stamps(root, ["out"])
    chosen = choose(root, ["out"])
    again = choose(root, ["out"], before=before)

    assert (len(before), len(chosen.files)) == (3, 3)
    assert chosen.lost == ["out: it names more than 3 files"]
    assert not again.files


def test_names_that_are_not_safe_to_show_are_dropped(root: Path) -> None:
    (root / "back\\slash").write_text("")
    (root / "line\nbreak").write_text("")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_text("")
    chosen = choose(root, ["*"])
    assert sorted(chosen.files) == ["out/a.txt", "out/deep/b.html"]
    assert len(chosen.dropped) == 3


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (UploadLimits(files=1), "one attempt may keep 1 files"),
        (UploadLimits(file_bytes=1), "it has 2 bytes; at most 1 are kept"),
        (UploadLimits(total_bytes=2), "the files of one attempt may have 2 bytes together"),
    ],
)
def test_each_file_over_a_limit_is_told(root: Path, limits: UploadLimits, reason: str) -> None:
    chosen = choose(root, ["out/**/*"], limits=limits)
    assert list(chosen.files) == ["out/a.txt"]
    assert chosen.dropped == [f"out/deep/b.html: {reason}"]


def test_a_link_that_was_put_in_place_after_a_look_uploads_nothing(root: Path, tmp_path: Path) -> None:
    """In a pod the tests have the agent's user: what was looked at may be another thing by now."""
    store = MemoryObjectStore()
    (tmp_path / "b.html").write_text("of the agent")
    chosen = choose(root, ["out"]).files
    (root / "out" / "a.txt").unlink()
    (root / "out" / "a.txt").symlink_to(tmp_path / "secret")
    (root / "out" / "deep").rename(root / "out" / "gone")
    (root / "out" / "deep").symlink_to(tmp_path)
    for name, path in chosen.items():
        with pytest.raises(OSError, match=name):
            upload_all(store, {name: path}, key=str)
        with pytest.raises(OSError, match=name):
            upload_artifacts(store, {name: path}, key=str, scratch=tmp_path)
    assert not store.objects


def test_nothing_is_chosen_where_the_folder_itself_became_a_link(root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "gone")
    root.symlink_to(tmp_path)
    chosen = choose(root, ["**/*", "secret"])
    assert (chosen.files, chosen.dropped) == ({}, ["work: a link was put in place of the folder"])


def test_content_types() -> None:
    names = ("a.xml", "b.png", "c.log", "d.unknown", "e.tar.gz", "f")
    assert [content_type(name) for name in names] == [
        *("application/xml", "image/png", "text/plain"),
        *("application/octet-stream",) * 3,
    ]


def test_large_texts_are_packed_and_everything_tells_its_class(root: Path, tmp_path: Path) -> None:
    line = b"a line of a log that says the same again and again\n"
    noise = os.urandom(PACKED_FROM_BYTES)
    contents = {
        "out/large.log": line * 1000,
        "out/small.log": line,
        "out/shot.png": noise,
        "out/noise.txt": noise,  # says it is text, and does not pack
    }
    for name, data in contents.items():
        (root / name).write_bytes(data)
    store = MemoryObjectStore()
    files = {
        file.path: file
        for file in _artifacts(store, root, tmp_path, "out/*.log", "out/*.png", "out/noise.txt")
    }
    large = files["out/large.log"]
    assert (large.size, large.encoding, large.file_class) == (51_000, "gzip", FileClass.LOG)
    stored = store.objects["out/large.log"]
    assert gzip.decompress(stored.data) == contents["out/large.log"]
    assert (len(stored.data), stored.encoding) == (large.stored_size, "gzip")
    assert len(stored.data) < 1000
    for name in contents.keys() - {"out/large.log"}:
        assert (files[name].encoding, files[name].stored_size) == (None, None)
        assert (store.objects[name].data, store.objects[name].encoding) == (contents[name], None)
    assert {name: each.tags for name, each in store.objects.items()} == {
        "out/large.log": {"class": "log"},
        "out/small.log": {"class": "log"},
        "out/shot.png": {"class": "screenshot"},
        "out/noise.txt": {"class": "other"},
    }
    assert not list(tmp_path.glob("packed-*"))


def _artifacts(store: MemoryObjectStore, root: Path, scratch: Path, *globs: str) -> tuple[FileRef, ...]:
    return upload_artifacts(store, choose(root, globs).files, key=str, scratch=scratch)


def test_an_interrupted_attempt_writes_nothing(root: Path) -> None:
    store, interruption = MemoryObjectStore(), Interruption()
    guarded = GuardedStore(store, interruption)
    interruption.raise_flag(Cause.LEASE_LOST)
    with pytest.raises(InterruptedAttemptError):
        upload_all(guarded, choose(root, ["out"]).files, key=str)
    with pytest.raises(InterruptedAttemptError):
        guarded.put("key", b"")
    assert not store.objects


def test_an_upload_bears_a_lost_connection_for_a_while() -> None:
    class Away(MemoryObjectStore):
        left = 1

        def put(self, key: str, data: bytes, *, content_type: str = "") -> None:
            if self.left:
                self.left -= 1
                raise DependencyError("away")
            super().put(key, data, content_type=content_type)

    store = Away()
    GuardedStore(store, Interruption()).put("key", b"data")
    assert store.objects["key"].data == b"data"
    store.left = 9
    with pytest.raises(DependencyError):
        GuardedStore(store, Interruption(), patience_seconds=0).put("key", b"data")


def test_the_cache_is_bounded_and_notices_that_an_archive_was_changed(tmp_path: Path) -> None:
    store = MemoryObjectStore()
    archives = []
    for number in range(3):
        data = bytes([number]) * 100
        archives.append(ArchiveRef(key=f"archive-{number}", digest=digest_bytes(data), size=100))
        store.put(f"archive-{number}", data)
    cache = ArchiveCache(tmp_path / "cache", limits=ArchiveLimits(), most_bytes=250)
    first, second = cache.fetch(store, archives[0]), cache.fetch(store, archives[1])
    os.utime(first, (10, 10))
    os.utime(second, (5, 5))
    third = cache.fetch(store, archives[2])
    assert set((tmp_path / "cache").iterdir()) == {first, third}
    first.write_bytes(b"changed by a test of the same user")
    assert cache.fetch(store, archives[0]).read_bytes() == bytes(100)
