"""`crosswind report FILE...`: what test reports say, in any format, without an API.

It imports neither the API's client nor a model: it is up and reads within a tenth of a second.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosswind.adapters.reports.anyformat import AnyReportReader
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault

_OK, _RED, _UNREADABLE = 0, 1, 2
_MOST_SHOWN = 100  # failures and faults that are told one by one
_LINES_SHOWN = 6  # of a failure's message
_RED_STATUSES = frozenset({CaseStatus.FAILED, CaseStatus.ERROR})


@dataclass(slots=True)
class Summary:
    """What one file says."""

    path: str
    format: str | None = None
    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    flaky: int = 0
    seconds: float = 0.0  # of the tests together
    declared_seconds: float = 0.0  # of the whole, where the file tells
    red: bool = False  # something failed, a test or not
    failed: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0

    @property
    def ok(self) -> bool:
        """Nothing failed, and all of it could be read."""
        return not self.red and not self.fault_count

    def add(self, item: ReportedCase | ReportedSuite | ReportFault) -> None:
        """Count an item."""
        if isinstance(item, ReportFault):
            self.fault_count += 1
            if len(self.faults) < _MOST_SHOWN:
                self.faults.append(str(item))
        elif isinstance(item, ReportedCase):
            self._add_case(item)
        else:
            self._add_suite(item)

    def _add_suite(self, item: ReportedSuite) -> None:
        self.declared_seconds += item.duration_seconds
        problem = next((each for each in item.problems if each.kind != "skipped"), None)
        if problem is not None:
            self.red = True
            self.errors += item.aborts
            self._tell(" / ".join(item.path) or "(no name)", "error", problem.message, problem.text)

    def _add_case(self, case: ReportedCase) -> None:
        self.tests += case.samples
        self.seconds += case.duration_seconds
        self.flaky += case.status is CaseStatus.FLAKY
        if case.status is CaseStatus.SKIPPED:
            self.skipped += case.samples
        elif case.status in _RED_STATUSES:
            self.red = True
            count = case.failed_samples or 1
            if case.status is CaseStatus.ERROR:
                self.errors += count
            else:
                self.failures += count
            said = case.problems[0] if case.problems else None
            name = " / ".join((*case.suites, *((case.class_name,) if case.class_name else ()), case.name))
            self._tell(name, case.status.value, said.message if said else None, said.text if said else "")

    def _tell(self, name: str, status: str, message: str | None, details: str) -> None:
        if len(self.failed) < _MOST_SHOWN:
            told = {"name": name, "status": status, "message": message or "", "details": details[:4000]}
            self.failed.append(told)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tests": self.tests,
            "failures": self.failures,
            "errors": self.errors,
            "skipped": self.skipped,
            "flaky": self.flaky,
            "ok": self.ok,
            "malformed": self.fault_count > 0,
            "time_s": round(self.declared_seconds or self.seconds, 3),
            "format": self.format,
            "file": self.path,
            "failed": self.failed,
            "faults": self.faults,
            "fault_count": self.fault_count,
        }


def main(words: Sequence[str]) -> int:
    """Read the files. Returns the exit status: 0 green, 1 something failed, 2 something could not be read."""
    given = _parser().parse_args(words)
    summaries = [_read(path) for path in _files(given.files)]
    if given.json:
        print(json.dumps(_document(summaries), ensure_ascii=False))
    else:
        for summary in summaries:
            _show(summary)
        if len(summaries) > 1:
            print(_figures(_document(summaries)))
    if any(summary.red for summary in summaries):
        return _RED
    return _UNREADABLE if any(summary.fault_count for summary in summaries) else _OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crosswind report",
        description="Read test reports in any format that is known (told from their content) and say what they hold. "
        "Exit status: 0 nothing failed, 1 something did, 2 a file cannot be read, or not to its end.",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a report, a folder of reports, or - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


def _files(given: Sequence[str]) -> Iterator[str]:
    for each in given:
        path = Path(each)
        if each != "-" and path.is_dir():
            yield from (str(file) for file in sorted(path.rglob("*")) if file.is_file())
        else:
            yield each


def _read(path: str) -> Summary:
    summary = Summary(path)
    try:
        stream = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        summary.add(ReportFault(path, error.strerror or str(error)))
        return summary
    with stream:
        found, items = AnyReportReader().detect(stream, name=path)
        summary.format = found.value if found else None
        for item in items:
            summary.add(item)
    return summary


def _document(summaries: Sequence[Summary]) -> dict[str, Any]:
    documents = [summary.document() for summary in summaries]
    if len(documents) == 1:
        return documents[0]
    counted = ("tests", "failures", "errors", "skipped", "flaky", "time_s")
    return {
        **{name: round(sum(each[name] for each in documents), 3) for name in counted},
        "ok": all(each["ok"] for each in documents),
        "malformed": any(each["malformed"] for each in documents),
        "files": documents,
    }


def _show(summary: Summary) -> None:
    print(f"{summary.path}  ({summary.format or 'unknown format'})")
    print(f"  {_figures(summary.document())}")
    for failed in summary.failed:
        print(f"  {failed['status']}  {_plain(failed['name'])}")
        for line in failed["message"].splitlines()[:_LINES_SHOWN]:
            print(f"      {_plain(line)}")
    told = summary.failures + summary.errors
    if told > len(summary.failed) >= _MOST_SHOWN:
        print(f"  and {told - len(summary.failed)} more")
    for fault in summary.faults:
        print(f"  not read: {_plain(fault)}")


def _figures(figures: dict[str, Any]) -> str:
    verdict = (
        "ok" if figures["ok"] else "incomplete" if figures["malformed"] and not _red(figures) else "FAILED"
    )
    return (
        f"{verdict}: {figures['tests']} tests, {figures['failures']} failures, {figures['errors']} errors, "
        f"{figures['skipped']} skipped, {figures['flaky']} flaky, {figures['time_s']:.3f} s"
    )


def _red(figures: dict[str, Any]) -> bool:
    if "files" in figures:
        return any(map(_red, figures["files"]))
    return bool(figures["failed"])


def _plain(text: str) -> str:
    """Without control characters: reports are not trusted with a terminal."""
    return "".join(each if each.isprintable() or each == " " else "?" for each in text)
