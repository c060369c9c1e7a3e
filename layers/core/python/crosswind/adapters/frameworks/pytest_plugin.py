"""Crosswind's part inside a pytest process. Copied beside the tests and loaded with `-p`; needs pytest alone.

It does what its variables ask: CROSSWIND_PYTEST_DISCOVERY lists the tests, CROSSWIND_PYTEST_SELECTION runs only some,
CROSSWIND_PYTEST_MISSING tells of selected tests that do not exist, CROSSWIND_PYTEST_EVENTS reports progress.
The property `crosswind.nodeid` ties a record of the JUnit report to the planned test.

It must run on every Python that a suite may use, hence nothing newer than Python 3.7.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

PROPERTY = "crosswind.nodeid"
MAX_ERROR_CHARACTERS = 4000


def pytest_configure(config: pytest.Config) -> None:
    """Register what the variables ask for."""
    discovery = os.environ.get("CROSSWIND_PYTEST_DISCOVERY")
    selection = os.environ.get("CROSSWIND_PYTEST_SELECTION")
    events = os.environ.get("CROSSWIND_PYTEST_EVENTS")
    if discovery:
        config.pluginmanager.register(Discovery(discovery), "crosswind-discovery")
    if selection:
        config.pluginmanager.register(Selection(config, selection), "crosswind-selection")
    if events and not hasattr(config, "workerinput"):  # xdist: its controller sees every worker's reports
        config.pluginmanager.register(Events(events), "crosswind-events")


def identity(item: pytest.Item) -> str:
    """The node id as text that every JSON reader takes."""
    return readable(item.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its property."""
    for item in items:
        item.user_properties.append((PROPERTY, identity(item)))


class Discovery:
    """Writes the node ids and the collection's errors."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.ids: list[str] = []
        self.errors: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep an error with the end of its text, where the cause stands."""
        if report.failed:
            text = str(report.longrepr or "unknown error")
            self.errors.append(f"{report.nodeid or 'collection'}: {text[-MAX_ERROR_CHARACTERS:]}")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep what is left after every filter."""
        self.ids = [identity(item) for item in session.items]

    def pytest_sessionfinish(self) -> None:
        """Write both."""
        write_json(self.path, {"ids": self.ids, "errors": self.errors})


class Selection:
    """Runs only the selected tests, and does not even import files that hold none of them.

    Passing over files saves time in each shard, and keeps a file that cannot be imported (told by the discovery) from
    stopping the shards that do not need it. A file named on the command line is always read.
    """

    def __init__(self, config: pytest.Config, path: str) -> None:
        self.wanted: set[str] = set(json.loads(Path(path).read_text(encoding="utf-8")))
        self.files = {test_id.split("::", 1)[0] for test_id in self.wanted}
        self.root = config.rootpath
        start = config.invocation_params.dir
        self.named = {(start / str(argument).split("::", 1)[0]).resolve() for argument in config.args}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Pass over a Python file without selected tests; leave everything else to pytest."""
        path = collection_path
        if path.suffix != ".py" or path.name in ("__init__.py", "conftest.py") or path.is_dir():
            return None
        if path.resolve() in self.named:
            return None
        try:
            relative = path.relative_to(self.root).as_posix()
        except ValueError:
            return None
        return None if relative in self.files else True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the others, and write down what was wanted and is not there."""
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            (kept if identity(item) in self.wanted else dropped).append(item)
        items[:] = kept
        if dropped:
            config.hook.pytest_deselected(items=dropped)
        missing = self.wanted - {identity(item) for item in kept}
        target = os.environ.get("CROSSWIND_PYTEST_MISSING")
        if target and missing:
            write_json(Path(target), sorted(missing))


class Events:
    """Appends one line when a test starts and one when it ends."""

    def __init__(self, path: str) -> None:
        self.stream = Path(path).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115  # open as long as pytest runs
        self.outcomes: dict[str, tuple[str, float]] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test starts."""
        self.outcomes[nodeid] = ("passed", 0.0)
        self.write({"event": "start", "id": readable(nodeid), "at": time.time()})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Fold the three phases of a test into one outcome."""
        outcome, seconds = self.outcomes.get(report.nodeid, ("passed", 0.0))
        if report.outcome == "failed":
            outcome = "failed" if report.when == "call" else "error"
        elif report.outcome == "skipped" and outcome == "passed":
            outcome = "skipped"
        elif report.outcome == "passed" and report.when == "call" and outcome == "failed":
            outcome = "passed"  # a plugin ran it again inside this process
        self.outcomes[report.nodeid] = (outcome, seconds + report.duration)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended."""
        outcome, seconds = self.outcomes.pop(nodeid, ("passed", 0.0))
        self.write({"event": "finish", "id": readable(nodeid), "outcome": outcome, "seconds": seconds})

    def pytest_unconfigure(self) -> None:
        """Close the file."""
        self.stream.close()

    def write(self, event: dict[str, object]) -> None:
        """One line, at once: a killed process leaves all its lines but the last."""
        self.stream.write(json.dumps(event) + "\n")


def readable(nodeid: str) -> str:
    """The node id as text that every JSON reader takes."""
    return nodeid.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: Path, value: dict[str, list[str]] | Sequence[str]) -> None:
    """Write whole or not at all: several xdist workers may write the same."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)
