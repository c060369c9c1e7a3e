"""Crosswind's part inside a pytest process. Copied beside the tests and loaded with `-p`; needs pytest alone.

It does what its variables ask: CROSSWIND_PYTEST_DISCOVERY lists the tests, CROSSWIND_PYTEST_SELECTION runs only some,
CROSSWIND_PYTEST_MISSING tells of selected tests that do not exist, CROSSWIND_PYTEST_EVENTS reports progress.
With CROSSWIND_PULL it runs what the runner hands out batch by batch (docs/pull-protocol.md), all in this one process.
The property `crosswind.nodeid` ties a record of the JUnit report to the planned test.

It must run on every Python that a suite may use, hence nothing newer than Python 3.7.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

try:  # neither is public; both have been there since pytest 7
    from _pytest.junitxml import LogXML, xml_key
    from _pytest.runner import runtestprotocol
except ImportError:  # pragma: no cover
    LogXML = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROPERTY = "crosswind.nodeid"
PULL_VERSION = 1
MAX_ERROR_CHARACTERS = 4000
MAX_MESSAGE_CHARACTERS = 2000
FAILED = ("failed", "error")


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
        told = Events(events)
        config.pluginmanager.register(told, "crosswind-events")
        channel = os.environ.pop("CROSSWIND_PULL", None)  # no test that runs pytest shall find it
        if channel:
            config.pluginmanager.register(Pull(config, Channel(channel), told), "crosswind-pull")


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
    """Appends one line when a test starts, one when it ends, and one for what cannot be collected."""

    def __init__(self, path: str) -> None:
        self.stream = Path(path).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115  # open as long as pytest runs
        self.outcomes: dict[str, tuple[str, float]] = {}
        self.messages: dict[str, str] = {}
        self.ended: dict[str, str] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Something cannot be collected: nobody runs it again, for it would be the same."""
        if report.failed:
            self.write({"event": "uncollected", "id": readable(report.nodeid)})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test starts."""
        self.outcomes[nodeid] = ("passed", 0.0)
        self.write({"event": "start", "id": readable(nodeid), "at": time.time()})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Fold the three phases of a test into one outcome."""
        outcome, seconds = self.outcomes.get(report.nodeid, ("passed", 0.0))
        if report.outcome == "failed":
            outcome = "failed" if report.when == "call" else "error"
            self.messages[report.nodeid] = report.longreprtext[-MAX_MESSAGE_CHARACTERS:]
        elif report.outcome == "skipped" and outcome == "passed":
            outcome = "skipped"
        elif report.outcome == "passed" and report.when == "call" and outcome == "failed":
            outcome = "passed"  # a plugin ran it again inside this process
        self.outcomes[report.nodeid] = (outcome, seconds + report.duration)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended."""
        outcome, seconds = self.outcomes.pop(nodeid, ("passed", 0.0))
        message = self.messages.pop(nodeid, "")
        event = {"event": "finish", "id": readable(nodeid), "outcome": outcome, "seconds": seconds}
        if outcome in FAILED:
            event["message"] = readable(message)
        self.ended[readable(nodeid)] = outcome
        self.write(event)

    def pytest_unconfigure(self) -> None:
        """Close the file."""
        self.stream.close()

    def write(self, event: dict[str, object]) -> None:
        """One line, at once: a killed process leaves all its lines but the last."""
        self.stream.write(json.dumps(event) + "\n")


class Channel:
    """This process's end of the two pipes: one JSON object a line, a request for each answer."""

    def __init__(self, folder: str) -> None:
        self.requests = Path(folder, "requests").open("w", encoding="utf-8")  # noqa: SIM115  # open as long as pytest runs
        self.grants = Path(folder, "grants").open(encoding="utf-8")  # noqa: SIM115

    def say(self, kind: str, **fields: object) -> None:
        """Send a message."""
        self.requests.write(json.dumps({"type": kind, **fields}) + "\n")
        self.requests.flush()

    def ask(self, kind: str, **fields: object) -> dict[str, object]:
        """Send a message and wait for the answer. A runner that is gone has no more work."""
        self.say(kind, **fields)
        line = self.grants.readline()
        return json.loads(line) if line else {"type": "end"}


class Boundary(pytest.Item):
    """Stands where no test does: between two batches only the session's own fixtures stay set up.

    pytest tears down what the next item does not need. With None it would end session fixtures with every batch.
    """

    def runtest(self) -> None:
        """There is nothing to run."""

    def reportinfo(self) -> tuple[Path, None, str]:
        """What a failure to tear down the session's fixtures goes by."""
        return self.path, None, self.name


class Pull:
    """Takes the place of pytest's loop over all tests: runs batch after batch until the runner has no more."""

    def __init__(self, config: pytest.Config, channel: Channel, told: Events) -> None:
        self.channel = channel
        self.told = told
        self.items: dict[str, pytest.Item] = {}
        reason = hindrance(config)
        if reason:
            channel.say("unable", reason=reason)
            pytest.exit("Crosswind starts pytest once for each batch: " + reason, 0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run batches. After a failed collection pytest's own loop tells of it, and nothing is asked for."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return None
        self.items = {identity(item): item for item in session.items}
        boundary = Boundary.from_parent(session, name="tear-down of the session's fixtures")
        answer = self.channel.ask("ready", version=PULL_VERSION, tests=len(self.items))
        while answer["type"] == "batch":
            answer = self.run_batch(session, answer, boundary)
        for report in runtestprotocol(boundary, log=False, nextitem=None):
            if report.failed:
                boundary.ihook.pytest_runtest_logreport(report=report)
        return True

    def run_batch(
        self, session: pytest.Session, batch: dict[str, object], boundary: Boundary
    ) -> dict[str, object]:
        """Run a batch's tests in its order. Returns the runner's answer to what came of them."""
        wanted: list[str] = batch["tests"]  # type: ignore[assignment]
        chosen = [self.items[test_id] for test_id in wanted if test_id in self.items]
        self.told.ended = {}
        try:
            with report_to(session.config, str(batch["report"])):
                run_tests(session, chosen, boundary)
        except BaseException:
            self.channel.say("stopped", **self.outcome(batch))
            raise
        return self.channel.ask("done", **self.outcome(batch))

    def outcome(self, batch: dict[str, object]) -> dict[str, object]:
        """What the runner has to know of a batch beside its report."""
        wanted: list[str] = batch["tests"]  # type: ignore[assignment]
        ended = self.told.ended
        return {
            "batch": batch["batch"],
            "failed": [test_id for test_id in wanted if ended.get(test_id) in FAILED],
            "missing": [test_id for test_id in wanted if test_id not in self.items],
            "left": [test_id for test_id in wanted if test_id in self.items and test_id not in ended],
        }


def run_tests(session: pytest.Session, items: Sequence[pytest.Item], boundary: Boundary) -> None:
    """Run tests as pytest's own loop does."""
    for item, following in zip(items, [*items[1:], boundary]):  # noqa: B905  # `strict` came with Python 3.10
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)


def hindrance(config: pytest.Config) -> str | None:
    """Why batches cannot be run inside this process; None when they can."""
    if config.getoption("dist", "no") != "no" or config.getoption("tx", None):
        return "pytest-xdist hands out the tests itself"
    if LogXML is None:
        return "this version of pytest cannot write a report for each batch"
    return None


@contextmanager
def report_to(config: pytest.Config, path: str) -> Iterator[None]:
    """Put the records of what runs meanwhile into a report of their own, made as the author wants reports made."""
    whole = config.stash[xml_key]
    part = LogXML(
        path,
        whole.prefix,
        whole.suite_name,
        whole.logging,
        whole.report_duration,
        whole.family,
        whole.log_passing_tests,
    )
    part.global_properties = whole.global_properties  # shared: a session fixture adds to them at any time
    swap_report(config, whole, part)
    part.pytest_sessionstart()
    try:
        yield
    finally:
        part.pytest_sessionfinish()
        swap_report(config, part, whole)


def swap_report(config: pytest.Config, old: LogXML, new: LogXML) -> None:
    """Let pytest, and fixtures that add to the report, write into another one."""
    config.pluginmanager.unregister(old)
    config.pluginmanager.register(new)
    config.stash[xml_key] = new


def readable(nodeid: str) -> str:
    """The node id as text that every JSON reader takes."""
    return nodeid.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: Path, value: dict[str, list[str]] | Sequence[str]) -> None:
    """Write whole or not at all: several xdist workers may write the same."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)
