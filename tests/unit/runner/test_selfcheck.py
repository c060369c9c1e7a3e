"""`crosswind-runner --check`: what it says of good and of bad surroundings."""

import json
import os
from pathlib import Path

import pytest

from crosswind import __version__
from crosswind.runner import selfcheck
from crosswind.runner.main import main


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with one tool that says its version after a banner, and one that fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("k6", "echo banner; echo 'k6 v1.2.3' >&2"), ("newman", "exit 3")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def check(tmp_path: Path, tools: Path, **changes: str) -> dict[str, selfcheck.Finding]:
    environ = {"PATH": str(tools), "CROSSWIND_WORK_FOLDER": str(tmp_path / "work"), **changes}
    return {finding.name: finding for finding in selfcheck.check(environ)}


def test_it_tells_what_tests_would_find(tmp_path: Path, tools: Path) -> None:
    found = check(tmp_path, tools)
    assert (found["k6"].ok, found["k6"].detail) == (True, "k6 v1.2.3")
    assert (found["newman"].ok, found["newman"].detail) == (False, "exit status 3")
    assert (found["cypress"].ok, found["cypress"].detail) == (False, "not installed")
    assert found["runner"].detail.startswith(__version__)
    assert found["work folder"].ok
    assert found["execute from it"].ok
    assert selfcheck.can_work(tuple(found.values()))
    assert not list((tmp_path / "work").iterdir())


def test_a_work_folder_that_cannot_be_made_is_told_and_is_too_little(tmp_path: Path, tools: Path) -> None:
    (tmp_path / "file").write_text("")
    found = check(tmp_path, tools, CROSSWIND_WORK_FOLDER=str(tmp_path / "file" / "work"))
    assert not found["work folder"].ok
    assert not selfcheck.can_work(tuple(found.values()))
    assert f"NO  {'work folder':18}" in selfcheck.render(tuple(found.values()))


def test_a_user_of_their_own_for_tests_takes_a_runner_that_is_root(tmp_path: Path, tools: Path) -> None:
    found = check(tmp_path, tools, CROSSWIND_TEST_UID="1234")
    assert found["own user for tests"].ok is (os.geteuid() == 0)


def test_the_command_answers_without_any_settings(
    tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.environ", {"PATH": str(tools), "CROSSWIND_WORK_FOLDER": str(tmp_path)})
    assert main(["--check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert {finding["name"] for finding in told["findings"]} >= {"work folder", "git", "pytest", "k6"}
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"crosswind-runner {__version__}\n"
