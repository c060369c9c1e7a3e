"""CTRF, the Common Test Report Format (JSON)."""

from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import count, mappings, problem, seconds, sequence, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportFault, ReportItem

_STATUSES = {
    "passed": CaseStatus.PASSED,
    "failed": CaseStatus.FAILED,
    **dict.fromkeys(("skipped", "pending", "other"), CaseStatus.SKIPPED),
}
_SUMMARY = ("results.summary.tests", "results.summary.failed")


def read_ctrf(source: Source) -> Iterator[ReportItem]:
    """Tests in their order."""
    declared = dict.fromkeys(_SUMMARY, 0)
    seen = red = 0
    for place, value in pieces(source, ("results.tests.item", *_SUMMARY)):
        if place in declared:
            declared[place] = count(value)
        elif isinstance(value, Mapping):
            case = _case(value)
            seen += 1
            red += case.status in {CaseStatus.FAILED, CaseStatus.ERROR}
            yield case
    tests, failed = declared.values()
    if failed and not red:
        yield ReportFault(source.name, f"it declares {failed} failed tests and holds no record of one")
    elif tests and not seen:
        yield ReportFault(source.name, f"it declares {tests} tests and holds no record of one")


def _case(test: Mapping[str, Any]) -> ReportedCase:
    status = _STATUSES.get(text(test.get("status")).lower(), CaseStatus.ERROR)
    if status is CaseStatus.PASSED and test.get("flaky") is True:
        status = CaseStatus.FLAKY
    suite = test.get("suite")
    suites = [text(each) for each in sequence(suite)] if isinstance(suite, list) else [text(suite)]
    red = status in {CaseStatus.FAILED, CaseStatus.ERROR}
    said = problem("failure", test.get("message"), test.get("trace"))
    return ReportedCase(
        name=text(test.get("name")) or "(no name)",
        class_name=None,
        suites=tuple(each for each in suites if each),
        status=status,
        duration_seconds=seconds(test.get("duration"), per=1000),
        line=0,
        file=text(test.get("filePath")) or None,
        problems=(said,) if red else (),
        output="\n".join(text(each) for each in sequence(test.get("stdout"))),
        error_output="\n".join(text(each) for each in sequence(test.get("stderr"))),
        attachments=tuple(
            path for each in mappings(test.get("attachments")) if (path := text(each.get("path")))
        ),
    )
