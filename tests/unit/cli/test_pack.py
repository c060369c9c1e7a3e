"""Packing folders."""

import os
import tarfile
from pathlib import Path

import pytest

from crosswind.cli import pack
from crosswind.cli.errors import CliError
from crosswind.cli.pack import packed


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names(folder: Path) -> list[str]:
    with packed(folder) as archive, tarfile.open(archive.file) as tar:
        return tar.getnames()


def test_equal_content_gives_equal_bytes_whatever_the_times_and_the_order(tmp_path: Path) -> None:
    first = make(tmp_path / "a", {"x.py": "1", "sub/y.py": "2"})
    second = make(tmp_path / "b", {"sub/y.py": "2", "x.py": "1"})
    os.utime(second / "x.py", (1, 1))
    with packed(first) as one, packed(second) as two:
        assert one.digest == two.digest
        assert one.file.read_bytes() == two.file.read_bytes()


def test_changed_content_and_mode_change_the_digest(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", {"run.sh": "1"})
    digests = set()
    with packed(folder) as archive:
        digests.add(archive.digest)
    (folder / "run.sh").chmod(0o755)
    with packed(folder) as archive:
        digests.add(archive.digest)
    (folder / "run.sh").write_text("2")
    with packed(folder) as archive:
        digests.add(archive.digest)
    assert len(digests) == 3


def test_owner_and_times_stay_at_home(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", {"x.py": "1"})
    with packed(folder) as archive, tarfile.open(archive.file) as tar:
        (member,) = tar.getmembers()
    assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)


def test_what_never_belongs_to_a_source_is_left_out(tmp_path: Path) -> None:
    folder = make(
        tmp_path,
        {
            "keep.py": "",
            ".git/HEAD": "",
            "pkg/__pycache__/a.pyc": "",
            ".venv/bin/python": "",
            "web/node_modules/a.js": "",
            ".crosswind/issuer/users.json": "",
        },
    )
    assert names(folder) == ["keep.py", "pkg", "web"]


def test_an_ignore_file_names_files_folders_and_paths(tmp_path: Path) -> None:
    folder = make(
        tmp_path,
        {
            ".crosswindignore": "# comment\n\n*.log\nbuild/\n/top.txt\ndocs/secret.md\n",
            "a.log": "",
            "deep/b.log": "",
            "build/out": "",
            "sub/build": "a file of that name stays",
            "top.txt": "",
            "sub/top.txt": "",
            "docs/secret.md": "",
            "docs/open.md": "",
        },
    )
    assert names(folder) == [
        ".crosswindignore",
        "deep",
        "docs",
        "docs/open.md",
        "sub",
        "sub/build",
        "sub/top.txt",
    ]


@pytest.mark.parametrize("pattern", ["!keep", "a/**/b"])
def test_a_pattern_that_would_be_misread_is_refused(tmp_path: Path, pattern: str) -> None:
    folder = make(tmp_path, {".crosswindignore": pattern, "a": ""})
    with pytest.raises(CliError, match="is not supported"):
        names(folder)


def test_a_link_inside_the_folder_stays_a_link(tmp_path: Path) -> None:
    folder = make(tmp_path, {"sub/a.txt": "1"})
    (folder / "link").symlink_to("sub/a.txt")
    with packed(folder) as archive, tarfile.open(archive.file) as tar:
        assert tar.getmember("link").linkname == "sub/a.txt"


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "../in/a"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    folder = make(tmp_path / "in", {"a": ""})
    (folder / "link").symlink_to(target)
    with pytest.raises(CliError, match=r"the link 'link' leads to .*, out of the working directory"):
        names(folder)


def test_a_link_that_turns_back_on_its_way_is_refused_as_the_runner_would(tmp_path: Path) -> None:
    folder = make(tmp_path, {"a/x": "", "b": ""})
    (folder / "link").symlink_to("a/../b")
    with pytest.raises(CliError, match=r"'a/\.\./b', which turns back on its way"):
        names(folder)


def test_a_link_may_climb_within_the_folder_and_lead_to_itself(tmp_path: Path) -> None:
    folder = make(tmp_path, {"a/x": "", "b": ""})
    (folder / "a" / "up").symlink_to("../b")
    (folder / "loop").symlink_to("loop")
    assert names(folder) == ["a", "a/up", "a/x", "b", "loop"]


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CliError, match="neither a file nor a folder"):
        names(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="holds nothing to pack"):
        names(tmp_path)


def test_packing_stops_at_the_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "MAX_ARCHIVE_BYTES", 100)
    (tmp_path / "noise").write_bytes(os.urandom(5000))
    with pytest.raises(CliError, match="over the limit"):
        names(tmp_path)
