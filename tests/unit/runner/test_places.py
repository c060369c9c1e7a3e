"""Where attempts run."""

from pathlib import Path

import pytest

from crosswind.runner.places import UnsafeFolderError, attempts_folder, hold_folder


def test_attempts_run_below_the_work_folder() -> None:
    assert attempts_folder(Path("/srv/work")) == Path("/srv/work/attempts")


def test_attempts_leave_a_folder_that_is_too_deep_for_a_browsers_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep = Path("/srv") / ("x" * 60)

    folder = attempts_folder(deep)

    assert folder.parent.parent == tmp_path
    assert folder != attempts_folder(deep / "other")


def test_a_folder_has_one_runner_at_a_time(tmp_path: Path) -> None:
    lock = hold_folder(tmp_path / "work")
    with pytest.raises(UnsafeFolderError, match="still alive"):
        hold_folder(tmp_path / "work")
    lock.close()
    hold_folder(tmp_path / "work").close()


def test_attempts_leave_a_project_whose_configuration_tools_would_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    project = tmp_path / "project"
    (project / "a" / "b").mkdir(parents=True)
    (project / "pyproject.toml").touch()
    folder = attempts_folder(project / "a" / "b")
    assert folder.is_relative_to(temporary)
    assert folder.parent.is_dir()
    folder.parent.rmdir()
    folder.parent.symlink_to(project)
    with pytest.raises(UnsafeFolderError):
        attempts_folder(project / "a" / "b")
