"""What every test shares: the examples of property tests, and skips: counted, and under CROSSWIND_STRICT_SKIPS an unlisted one fails.

The suite takes the same examples each time, so that a change is judged by what it changes; `make properties` searches
with new ones.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", derandomize=True)
settings.register_profile("search", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

_LIST = Path(__file__).with_name("skips.txt")
_skipped: dict[str, str] = {}


def allowed_skips(text: str) -> frozenset[str]:
    """The node ids and files that a list of skips names."""
    lines = (line.split(" # ")[0].strip() for line in text.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a skip; with xdist this runs in the controller, too, for every worker's reports."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped[report.nodeid] = reason


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a module that is skipped as a whole."""
    if report.skipped:
        _skipped[report.nodeid] = str(report.longrepr)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the session for skips that no line of tests/skips.txt allows."""
    if hasattr(session.config, "workerinput") or not os.environ.get("CROSSWIND_STRICT_SKIPS"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    allowed = allowed_skips(_LIST.read_text(encoding="utf-8"))
    unlisted = sorted(node for node in _skipped if node not in allowed and node.split("::")[0] not in allowed)
    if unlisted and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        assert reporter is not None
        for nodeid in unlisted:
            reporter.write_line(
                f"skipped, and not named in tests/skips.txt: {nodeid} ({_skipped[nodeid]})", red=True
            )
