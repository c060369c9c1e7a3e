"""The pytest adapter against real pytest processes. Output: ids, reports, progress lines."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from crosswind.adapters.frameworks.base import Collected, EventTail, Invocation, Launch, trace
from crosswind.adapters.frameworks.pytest import PytestAdapter

SUITE = {
    "test_odd.py": (
        "import pytest, unittest\n"
        "@pytest.mark.parametrize('value', ['a/b', 'x::y[z]', 'ünïcode', '', 'line\\nbreak', '<&>\"'])\n"
        "def test_value(value): assert value != 'a/b'\n"
        "class TestOld(unittest.TestCase):\n"
        "    def test_old(self): pass\n"
        "    @unittest.skip('not today')\n"
        "    def test_skipped(self): pass\n"
        "@pytest.fixture\n"
        "def broken(): raise RuntimeError('no database')\n"
        "def test_error(broken): pass\n"
    ),
    "sub/test_more.py": "def test_more(): pass\n",
    "test_broken.py": "raise ImportError('cannot be imported')\n",
    "test_exit.py": "import os\ndef test_exit(): os._exit(9)\n",
}
COUNT = 11


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    for name, text in SUITE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def private(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir()
    return folder


def call(launch: Launch, work: Path) -> int:
    """Start what the adapter says, with the Python under test first on the path."""
    python = Path(os.environ.get("CROSSWIND_PYTHON_UNDER_TEST", sys.executable))
    env = {"PATH": f"{python.parent}:{os.defpath}", "HOME": str(work.parent), **launch.env}
    return subprocess.run(launch.argv, cwd=work, env=env, capture_output=True, check=False).returncode


def discover(work: Path, private: Path, *args: str, command: str | None = None) -> Collected:
    adapter = PytestAdapter()
    launch = adapter.discovery(Invocation(command=command, args=args, env={}), folder=private)
    assert launch is not None
    call(launch, work)
    found = adapter.collected(private, work=private, end=0)
    assert found is not None
    return found


def run(work: Path, private: Path, selection: tuple[str, ...] | None, *args: str) -> tuple[int, Launch]:
    launch = PytestAdapter().run(
        Invocation(command=None, args=args, env={}),
        folder=private,
        selection=selection,
        shard_index=0,
        shard_count=1,
    )
    return call(launch, work), launch


def reported(launch: Launch) -> dict[str, ET.Element]:
    """Records of the report by their property."""
    (report,) = launch.reports
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314  # written by this test's own process
    found = {}
    for case in cases:
        for item in case.iter("property"):
            if item.get("name") == "crosswind.nodeid":
                found[str(item.get("value"))] = case
    return found


def test_discovery_tells_every_id_once_and_every_error(work: Path, private: Path) -> None:
    found = discover(work, private)
    assert found.test_ids is not None
    assert len(set(found.test_ids)) == len(found.test_ids) == COUNT
    assert "test_odd.py::TestOld::test_old" in found.test_ids
    (error,) = found.errors
    assert error.startswith("test_broken.py: ")
    assert "cannot be imported" in error


def test_discovery_follows_the_authors_filters_and_shell_command(work: Path, private: Path) -> None:
    found = discover(work, private, "-k", "test_old or more", command="cd . && python -m pytest")
    assert found.test_ids is not None
    assert set(found.test_ids) == {"sub/test_more.py::test_more", "test_odd.py::TestOld::test_old"}


@pytest.mark.parametrize("args", [(), ("-p", "no:xdist"), ("-n", "2")])
def test_a_run_of_the_discovered_ids_reports_each_of_them_once(
    work: Path, private: Path, args: tuple[str, ...]
) -> None:
    found = discover(work, private)
    assert found.test_ids is not None
    selection = tuple(test_id for test_id in found.test_ids if "test_exit" not in test_id)
    code, launch = run(work, private, selection, *args)
    records = reported(launch)
    assert code == 1
    assert set(records) == set(selection)
    assert records["test_odd.py::test_value[a/b]"].find("failure") is not None
    assert records["test_odd.py::test_error"].find("error") is not None
    assert launch.events is not None
    outcomes = {test_id: ended.outcome for test_id, ended in trace(launch.events).ended.items()}
    assert set(outcomes) == set(selection)
    assert outcomes["test_odd.py::test_value[a/b]"] == "failed"
    assert outcomes["test_odd.py::test_error"] == "error"
    assert outcomes["test_odd.py::TestOld::test_skipped"] == "skipped"
    tail = EventTail(launch.events)
    tail.poll()
    assert (tail.done, tail.failed) == (len(selection), 2)
    again = PytestAdapter().again(private, selection=selection, work=private)
    assert again is not None
    assert set(again) == {"test_odd.py::test_value[a/b]", "test_odd.py::test_error"}


def test_a_file_that_cannot_be_imported_does_not_stop_other_tests(work: Path, private: Path) -> None:
    code, launch = run(work, private, ("sub/test_more.py::test_more",))
    assert code == 0
    assert set(reported(launch)) == {"sub/test_more.py::test_more"}


def test_files_named_by_the_author_are_read_and_their_other_tests_left_out(work: Path, private: Path) -> None:
    code, launch = run(work, private, ("sub/test_more.py::test_more",), "test_odd.py", "sub/test_more.py")
    assert code == 0
    assert set(reported(launch)) == {"sub/test_more.py::test_more"}


def test_selected_tests_that_do_not_exist_are_told(work: Path, private: Path) -> None:
    run(work, private, ("sub/test_more.py::test_more", "sub/test_more.py::test_gone"))
    assert PytestAdapter().remarks(private) == (
        "1 selected tests were not collected: sub/test_more.py::test_gone",
    )


def test_after_a_crash_everything_runs_again(work: Path, private: Path) -> None:
    code, launch = run(work, private, ("test_exit.py::test_exit",))
    assert code == 9
    assert not launch.reports[0].exists()
    assert PytestAdapter().again(private, selection=("test_exit.py::test_exit",), work=private) is None


@pytest.mark.parametrize(
    ("files", "args"),
    [
        ({"test_late.py": "import nothing_of_this_name\n"}, ()),
        ({"conftest.py": "import nothing_of_this_name\n", "test_late.py": "def test_it(): pass\n"}, ()),
        ({"test_late.py": "import os\nos._exit(9)\n"}, ()),
        (
            {"test_late.py": "import nothing_of_this_name\n", "test_good.py": "def test_it(): pass\n"},
            ("--continue-on-collection-errors",),
        ),
    ],
)
def test_what_could_not_be_collected_is_never_run_again(
    tmp_path: Path, private: Path, files: dict[str, str], args: tuple[str, ...]
) -> None:
    work = tmp_path / "uncollected"
    work.mkdir()
    for name, text in files.items():
        (work / name).write_text(text)
    ids = tuple(f"{name}::test_it" for name in files if name != "conftest.py")
    code, _ = run(work, private, ids, *args)
    assert code != 0
    assert PytestAdapter().again(private, selection=ids, work=private) == ()


def test_our_report_wins_over_the_authors(work: Path, private: Path) -> None:
    _, launch = run(work, private, ("sub/test_more.py::test_more",), "--junit-xml=mine.xml")
    assert set(reported(launch)) == {"sub/test_more.py::test_more"}


def test_hostile_progress_lines_are_passed_over(tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_bytes(
        b'[]\nnot json\n{"event":"finish"}\n{"event":"finish","id":"a","outcome":"failed"}\n'
        b'{"event":"finish","outcome":[]}\n' + b"[" * 100_000 + b'\n{"ev'
    )
    tail = EventTail(events)
    tail.poll()
    tail.poll()
    assert (tail.done, tail.failed) == (3, 1)


def test_a_progress_line_without_end_is_passed_over(tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_bytes(b"x" * (2 * 1024 * 1024) + b'\n{"event":"finish","id":"a"}\n')
    tail = EventTail(events)
    for _ in range(3):
        tail.poll()
    assert tail.done == 1


@pytest.mark.parametrize("trap", ["pipe", "device", "link", "nested"])
def test_a_trap_in_the_place_of_a_file_is_no_file(tmp_path: Path, trap: str) -> None:
    (tmp_path / "secret").write_text('{"ids": ["secret"], "errors": []}')
    for name in ("events.ndjson", "missing.json", "discovery.json"):
        path = tmp_path / name
        match trap:
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case "link":
                path.symlink_to("secret")
            case _:
                path.write_text("[" * 100_000)
    (tmp_path / "crosswind-junit.xml").write_text("<testsuite/>")
    tail = EventTail(tmp_path / "events.ndjson")
    tail.poll()
    adapter = PytestAdapter()
    assert tail.done == 0
    assert adapter.again(tmp_path, selection=None, work=tmp_path) == ()
    assert adapter.remarks(tmp_path) == ()
    assert adapter.collected(tmp_path, work=tmp_path, end=0) is None
