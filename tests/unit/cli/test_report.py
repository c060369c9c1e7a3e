"""`crosswind report`: files in, a summary and an exit status out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crosswind.adapters.reports.sniffing import Format
from crosswind.cli.report import main
from tests.unit.reports.samples import RED

GREEN = '<testsuite><testcase name="adds" time="0.5"/></testsuite>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "green.xml").write_text(GREEN)
    (tmp_path / "jest.json").write_text(RED[Format.JEST])
    (tmp_path / "half.xml").write_text(GREEN[:-8])
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(words)
    return status, capsys.readouterr().out


def test_a_green_file_is_ok(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, str(folder / "green.xml"))

    assert status == 0
    assert (
        out
        == f"{folder}/green.xml  (junit-xml)\n  ok: 1 tests, 0 failures, 0 errors, 0 skipped, 0 flaky, 0.500 s\n"
    )


def test_a_red_one_says_what_failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, str(folder / "jest.json"))

    assert status == 1
    assert "FAILED: 3 tests, 1 failures" in out
    assert "  failed  cart / pays\n      no\n" in out


def test_half_a_file_is_incomplete_and_never_ok(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, str(folder / "half.xml"))

    assert status == 2
    assert "incomplete: 1 tests" in out
    assert "not read: " in out


def test_json_has_the_figures_at_its_top(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, "--json", str(folder / "jest.json"))

    document = json.loads(out)
    assert status == 1
    assert [document[name] for name in ("tests", "failures", "errors", "skipped", "ok", "malformed")] == [
        3,
        1,
        0,
        1,
        False,
        False,
    ]
    assert document["format"] == "jest-json"
    assert document["failed"][0]["message"] == "no"


def test_a_folder_is_the_sum_of_its_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, "--json", str(folder))

    document = json.loads(out)
    assert status == 1
    assert (document["tests"], document["failures"], document["malformed"]) == (5, 1, True)
    assert len(document["files"]) == 3


def test_a_file_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, str(folder / "nothing.xml"))

    assert status == 2
    assert "No such file" in out


def test_a_terminal_gets_no_control_characters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "evil.xml").write_text(
        '<testsuite><testcase name="a&#x9;"><failure message="x"/></testcase></testsuite>'
    )
    _, out = run(capsys, str(folder / "evil.xml"))

    assert "a?" in out


def test_standard_input_is_a_file_too(folder: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("crosswind")), "report", "-"],
        input=GREEN,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0
    assert done.stdout.startswith("-  (junit-xml)")


def test_reading_a_report_imports_no_client_and_no_model() -> None:
    code = "import sys; import crosswind.cli.report; print(*(name for name in ('httpx', 'pydantic', 'typer', 'rich', 'boto3') if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == ""
