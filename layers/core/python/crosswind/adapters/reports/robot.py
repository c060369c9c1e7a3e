"""Robot Framework's output.xml, versions 3 to 7. Keywords are passed over: a test is its status and its message."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from crosswind.adapters.reports.numbers import seconds_of
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import problem
from crosswind.adapters.reports.xml_stream import End, Start, events
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportItem

_STATUSES = {
    "PASS": CaseStatus.PASSED,
    "FAIL": CaseStatus.FAILED,
    "SKIP": CaseStatus.SKIPPED,
    "NOT RUN": CaseStatus.SKIPPED,
    "NOT_RUN": CaseStatus.SKIPPED,
}
_FORM = "%Y%m%d %H:%M:%S.%f"


@dataclass(slots=True)
class _Suite:
    name: str
    red: bool = False


class _Reading:
    """Where in the file the reader is."""

    def __init__(self) -> None:
        self.suites: list[_Suite] = []
        self._open: list[str] = []
        self._test: dict[str, str] = {}
        self._status: dict[str, str] = {}

    def start(self, event: Start) -> None:
        """An element begins."""
        if event.tag == "suite":
            self.suites.append(_Suite(event.attributes.get("name", "")))
        elif event.tag == "test":
            self._test, self._status = event.attributes, {}
        elif event.tag == "status" and self._open and self._open[-1] in {"test", "suite"}:
            self._status = event.attributes
        self._open.append(event.tag)

    def end(self, event: End) -> ReportItem | None:
        """An element ends; what it tells."""
        self._open.pop()
        parent = self._open[-1] if self._open else ""
        if event.tag == "status" and parent == "test":
            return self._case(event.text.strip())
        if event.tag == "status" and parent == "suite" and self.suites:
            return self._suite(event.text.strip())
        if event.tag == "suite" and self.suites:
            closed = self.suites.pop()
            if self.suites:
                self.suites[-1].red = self.suites[-1].red or closed.red
        return None

    def _path(self) -> tuple[str, ...]:
        return tuple(suite.name for suite in self.suites if suite.name)

    def _case(self, message: str) -> ReportedCase:
        case = _case(self._test, self._status, message, self._path())
        if self.suites and case.status not in {CaseStatus.PASSED, CaseStatus.SKIPPED}:
            self.suites[-1].red = True
        return case

    def _suite(self, message: str) -> ReportedSuite | None:
        """The suite itself, where it failed and no test of it did."""
        suite = self.suites[-1]
        if self._status.get("status") != "FAIL" or suite.red:
            return None
        suite.red = True
        said = problem("error", message or "the suite failed")
        return ReportedSuite(path=self._path(), line=0, problems=(said,))


def read_robot(source: Source) -> Iterator[ReportItem]:
    """Tests as they end; a suite that failed without a failed test is told of itself."""
    reading = _Reading()
    for event in events(source):
        if isinstance(event, Start):
            reading.start(event)
        elif (item := reading.end(event)) is not None:
            yield item


def _case(
    test: dict[str, str], status: dict[str, str], message: str, suites: tuple[str, ...]
) -> ReportedCase:
    known = _STATUSES.get(status.get("status", ""), CaseStatus.ERROR)
    kind = "skipped" if known is CaseStatus.SKIPPED else "failure"
    return ReportedCase(
        name=test.get("name") or "(no name)",
        class_name=None,
        suites=suites,
        status=known,
        duration_seconds=_elapsed(status),
        line=int(seconds_of(test.get("line"))),
        problems=() if known is CaseStatus.PASSED else (problem(kind, message.partition("\n")[0], message),),
    )


def _elapsed(status: dict[str, str]) -> float:
    if "elapsed" in status:
        return seconds_of(status["elapsed"])
    try:
        start = datetime.strptime(status.get("starttime", ""), _FORM)  # noqa: DTZ007  # only the difference counts
        end = datetime.strptime(status.get("endtime", ""), _FORM)  # noqa: DTZ007
    except ValueError:
        return 0.0
    return max((end - start).total_seconds(), 0.0)
