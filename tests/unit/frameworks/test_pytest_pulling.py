"""The plugin in a real pytest process that pulls; this test hands out the batches. Output: what it says and reports."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from xml.etree import ElementTree as ET

import pytest

from crosswind.adapters.frameworks.base import Invocation, trace
from crosswind.adapters.frameworks.pytest import PytestAdapter
from crosswind.runner.channel import Done, PullChannel, Ready, Request, Stopped, Unable

SUITE = {
    "conftest.py": (
        "import pytest\n"
        "def note(word): open('notes', 'a').write(word + ' ')\n"
        "@pytest.fixture(scope='session')\n"
        "def whole(record_testsuite_property):\n"
        "    note('whole'); record_testsuite_property('machine', 'm1'); yield; note('/whole')\n"
        "@pytest.fixture(scope='module')\n"
        "def module(whole, request):\n"
        "    note(request.node.name.split('/')[-1]); yield; note('/' + request.node.name.split('/')[-1])\n"
    ),
    "test_many.py": (
        "import pytest, unittest\n"
        "pytestmark = pytest.mark.usefixtures('module')\n"
        "@pytest.mark.parametrize('value', ['a/b', 'x::y[z]', 'ünïcode', '', 'line\\nbreak', '<&>\"'])\n"
        "def test_value(value): assert value != 'a/b'\n"
        "class TestOld(unittest.TestCase):\n"
        "    @classmethod\n"
        "    def setUpClass(cls): open('notes', 'a').write('class ')\n"
        "    def test_old(self): pass\n"
        "    @unittest.skip('not today')\n"
        "    def test_skipped(self): pass\n"
        "def test_recorded(record_property, record_xml_attribute):\n"
        "    record_property('ticket', 'CW-1'); record_xml_attribute('assertions', 'three')\n"
        "def test_exits(): pytest.exit('enough', 3)\n"
    ),
    "sub/__init__.py": "",
    "sub/test_more.py": (
        "import pytest\n"
        "@pytest.fixture(scope='module')\n"
        "def fragile(module):\n"
        "    yield\n"
        "    raise OSError('cannot be torn down')\n"
        "def test_first(module): pass\n"
        "def test_last(fragile): pass\n"
    ),
    "test_broken.py": "import nothing_of_this_name\n",
}
VALUES = tuple(
    f"test_many.py::test_value[{value}]"
    for value in ("a/b", "x::y[z]", "\\xfcn\\xefcode", "", "line\\nbreak", '<&>"')
)
OLD = ("test_many.py::TestOld::test_old", "test_many.py::TestOld::test_skipped")
RECORDED = ("test_many.py::test_recorded",)
EXITS = ("test_many.py::test_exits",)
MORE = ("sub/test_more.py::test_first", "sub/test_more.py::test_last")


@dataclass
class Pulling:
    """A pytest process and what it said."""

    work: Path
    private: Path
    said: list[Request] = field(default_factory=list)
    output: str = ""
    code: int | None = None

    def run(self, *batches: Sequence[str], args: tuple[str, ...] = ()) -> "Pulling":
        """Hand out batches until there is none left, or the process is over."""
        over = Event()
        with PullChannel(self.private) as channel:
            launch = PytestAdapter().pull(
                Invocation(command=None, args=args, env={}),
                folder=self.private,
                channel=self.private,
                tests=[test for batch in batches for test in batch],
                shard_index=0,
                shard_count=1,
            )
            assert launch is not None
            partner = Thread(target=self._serve, args=(channel, list(batches), over))
            partner.start()
            python = Path(os.environ.get("CROSSWIND_PYTHON_UNDER_TEST", sys.executable))
            env = {"PATH": f"{python.parent}:{os.defpath}", "HOME": str(self.work.parent), **launch.env}
            process = subprocess.run(
                launch.argv, cwd=self.work, env=env, capture_output=True, check=False, timeout=60
            )
            over.set()
            partner.join()
        self.code, self.output = process.returncode, process.stdout.decode() + process.stderr.decode()
        return self

    def _serve(self, channel: PullChannel, batches: list[Sequence[str]], over: Event) -> None:
        number = 0
        for request in channel.requests(over=over.is_set):
            self.said.append(request)
            if isinstance(request, Ready | Done):
                if number < len(batches):
                    report = self.private / f"{number}.xml"
                    channel.grant(batch=number, tests=batches[number], report=report, over=over.is_set)
                else:
                    channel.end(over=over.is_set)
                number += 1

    def cases(self, number: int) -> dict[str, ET.Element]:
        """Records of a batch's report by the planned id."""
        found = {}
        for case in self.report(number).iter("testcase"):
            (node_id,) = case.findall("properties/property[@name='crosswind.nodeid']")
            found[str(node_id.get("value"))] = case
        return found

    def report(self, number: int | str) -> ET.Element:
        return ET.parse(self.private / f"{number}.xml").getroot()  # noqa: S314  # of this test's own process

    def notes(self) -> list[str]:
        return (self.work / "notes").read_text().split()


@pytest.fixture
def pulling(tmp_path: Path) -> Pulling:
    work, private = tmp_path / "work", tmp_path / "private"
    private.mkdir()
    for name, text in SUITE.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    return Pulling(work, private)


def test_batches_run_in_the_order_given_and_each_has_its_own_report(pulling: Pulling) -> None:
    pulling.run(OLD, MORE[:1], VALUES)
    assert pulling.code == 1
    assert [set(pulling.cases(number)) for number in range(3)] == [set(OLD), set(MORE[:1]), set(VALUES)]
    assert [list(pulling.cases(number)) for number in range(3)] == [list(OLD), list(MORE[:1]), list(VALUES)]
    assert pulling.said == [
        Ready(type="ready", version=1, tests=9),
        Done(type="done", batch=0),
        Done(type="done", batch=1),
        Done(type="done", batch=2, failed=VALUES[:1]),
    ]
    assert not list(pulling.report("crosswind-junit").iter("testcase"))


def test_session_fixtures_live_over_batches_and_those_of_modules_within_one(pulling: Pulling) -> None:
    pulling.run(VALUES, OLD, MORE[:1])
    module = ("test_many.py", "/test_many.py")
    assert pulling.notes() == [
        *("whole", *module, "test_many.py", "class", "/test_many.py", "test_more.py", "/test_more.py"),
        "/whole",
    ]


def test_what_tests_add_to_their_report_is_in_the_report_of_the_batch(pulling: Pulling) -> None:
    pulling.run(RECORDED, VALUES, args=("-o", "junit_family=xunit1", "--junit-prefix=ci"))
    case = pulling.cases(0)[RECORDED[0]]
    assert case.get("assertions") == "three"
    assert str(case.get("classname")).startswith("ci.")
    assert case.find("properties/property[@name='ticket']") is not None
    for number in range(2):
        assert pulling.report(number).find(".//testsuite/properties/property[@name='machine']") is not None


def test_a_fixture_that_cannot_be_torn_down_is_an_error_of_its_batch(pulling: Pulling) -> None:
    pulling.run(MORE, OLD)
    assert pulling.cases(0)[MORE[1]].find("error") is not None
    assert pulling.said[1] == Done(type="done", batch=0, failed=MORE[1:])
    assert set(pulling.cases(1)) == set(OLD)


@pytest.mark.parametrize(
    ("batch", "args", "left", "code"),
    [(VALUES, ("-x",), VALUES[1:], 1), ((*EXITS, *OLD), (), (*EXITS, *OLD), 3)],
)
def test_a_process_that_stops_tells_what_it_has_not_run(
    pulling: Pulling, batch: tuple[str, ...], args: tuple[str, ...], left: tuple[str, ...], code: int
) -> None:
    pulling.run(batch, MORE, args=args)
    last = pulling.said[-1]
    assert isinstance(last, Stopped)
    assert last.left == left
    assert pulling.code == code
    assert len(pulling.said) == 2


def test_tests_that_are_not_there_are_told_of(pulling: Pulling) -> None:
    pulling.run(("test_many.py::test_gone", *OLD))
    assert pulling.said[-1] == Done(type="done", batch=0, missing=("test_many.py::test_gone",))
    assert set(pulling.cases(0)) == set(OLD)


def test_a_collection_that_fails_asks_for_nothing_and_reports_why(pulling: Pulling) -> None:
    pulling.run(("test_broken.py::test_x", *OLD))
    assert pulling.said == []
    assert pulling.code == 2
    assert "nothing_of_this_name" in ET.tostring(pulling.report("crosswind-junit"), encoding="unicode")


def test_failures_are_told_with_a_message_at_once(pulling: Pulling) -> None:
    pulling.run(VALUES)
    seen = trace(pulling.private / "events.ndjson")
    assert seen.begun == set(VALUES)
    assert "assert 'a/b' != 'a/b'" in seen.ended[VALUES[0]].message
    assert seen.ended[VALUES[1]].message == ""


def test_pytest_inside_a_test_does_not_find_the_channel(pulling: Pulling) -> None:
    (pulling.work / "test_inner.py").write_text(
        "import os, subprocess, sys\n"
        "def test_outer():\n"
        "    assert 'CROSSWIND_PULL' not in os.environ\n"
        "    subprocess.run([sys.executable, '-m', 'pytest', 'test_many.py', '-k', 'old'], check=True, timeout=30)\n"
    )
    pulling.run(("test_inner.py::test_outer",), OLD)
    assert pulling.code == 0
    assert len(pulling.said) == 3


def test_with_xdist_it_says_that_it_is_unable(pulling: Pulling) -> None:
    pytest.importorskip("xdist")
    if "CROSSWIND_PYTHON_UNDER_TEST" in os.environ:
        pytest.skip("another environment may lack it")
    pulling.run(OLD, args=("-n", "2"))
    assert pulling.said == [Unable(type="unable", reason="pytest-xdist hands out the tests itself")]
    assert pulling.code == 0
