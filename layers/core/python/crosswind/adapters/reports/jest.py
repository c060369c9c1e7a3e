"""Jest's and Vitest's JSON report (`--json`, reporter `json`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import count, mappings, problem, seconds, sequence, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault, ReportItem

_STATUSES = {
    "passed": CaseStatus.PASSED,
    "failed": CaseStatus.FAILED,
    **dict.fromkeys(("pending", "skipped", "todo", "disabled"), CaseStatus.SKIPPED),
}
_DECLARED = ("numFailedTests", "numRuntimeErrorTestSuites")


def read_jest(source: Source) -> Iterator[ReportItem]:
    """Tests file by file. A file that failed without a failed test, such as one that could not be loaded, is red itself."""
    declared = 0
    red = 0
    for place, value in pieces(source, ("testResults.item", *_DECLARED), skipped=("coverageMap", "snapshot")):
        if place in _DECLARED:
            declared += count(value)
        elif isinstance(value, Mapping):
            for item in _file(value):
                red += isinstance(item, ReportedSuite) or item.status in {CaseStatus.FAILED, CaseStatus.ERROR}
                yield item
    if declared and not red:
        why = f"it declares {declared} failures and holds no record of one"
        yield ReportFault(where=source.name, why=why)


def _file(result: Mapping[str, Any]) -> Iterator[ReportedCase | ReportedSuite]:
    file = text(result.get("name")) or text(result.get("testFilePath"))
    red = False
    for test in mappings(result.get("assertionResults") or result.get("testResults")):
        case = _case(test, file)
        red = red or case.status in {CaseStatus.FAILED, CaseStatus.ERROR}
        yield case
    failed = result.get("status") == "failed" or bool(result.get("testExecError"))
    if failed and not red:
        said = text(result.get("message")) or text(mapping_message(result.get("testExecError")))
        yield ReportedSuite(
            path=(file or "(no file)",),
            line=0,
            problems=(problem("error", said.strip().partition("\n")[0] or "the file failed", said),),
        )


def mapping_message(error: object) -> str:
    """The message of an error that may be a text or a mapping."""
    return text(error.get("message")) if isinstance(error, Mapping) else text(error)


def _case(test: Mapping[str, Any], file: str) -> ReportedCase:
    status = _STATUSES.get(text(test.get("status")), CaseStatus.ERROR)
    messages = [text(each) for each in sequence(test.get("failureMessages")) if text(each)]
    joined = "\n\n".join(messages)
    red = status in {CaseStatus.FAILED, CaseStatus.ERROR}
    retried = tuple(problem("failure", "", text(each)) for each in sequence(test.get("retryReasons")))
    return ReportedCase(
        name=text(test.get("title")) or text(test.get("fullName")) or "(no title)",
        class_name=None,
        suites=tuple(text(each) for each in sequence(test.get("ancestorTitles")) if text(each)),
        status=CaseStatus.FLAKY if retried and status is CaseStatus.PASSED else status,
        duration_seconds=seconds(test.get("duration"), per=1000),
        line=0,
        file=file or None,
        problems=(problem("failure", joined.strip().partition("\n")[0], joined),) if red else (),
        reruns=retried,
    )
