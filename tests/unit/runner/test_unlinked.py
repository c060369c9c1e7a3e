"""What is opened is what lies there, and no link leads elsewhere."""

import os
from pathlib import Path

import pytest

from crosswind.adapters.unlinked import open_unlinked, path_of


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "token").write_text("secret")
    return folder


def test_a_file_is_read(secret: Path) -> None:
    with open_unlinked(secret / "token") as file:
        assert file.read() == b"secret"


def test_no_link_is_followed_at_the_end_or_on_the_way(secret: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/file").symlink_to(secret / "token")
    (tmp_path / "work/folder").symlink_to(secret)
    for name in ("file", "folder/token"):
        with pytest.raises(OSError, match=name), open_unlinked(tmp_path / "work" / name):
            pass


@pytest.mark.parametrize("name", ["pipe", "folder", "nothing"])
def test_only_regular_files_are_opened(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=name), open_unlinked(tmp_path / name):
        pass


def test_an_open_file_is_the_same_whatever_its_name_leads_to(secret: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text("all is well")
    with open_unlinked(report) as file:
        report.unlink()
        report.symlink_to(secret / "token")
        assert path_of(file).read_text() == "all is well"
