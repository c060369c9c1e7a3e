"""Allure's result files: one test each (`*-result.json`), or the fixtures around some (`*-container.json`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.adapters.reports.values import mapping, mappings, problem, seconds, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import Problem, ReportedCase, ReportedSuite, ReportItem

_STATUSES = {
    "passed": CaseStatus.PASSED,
    "failed": CaseStatus.FAILED,
    "broken": CaseStatus.ERROR,
    "skipped": CaseStatus.SKIPPED,
}
_RED = frozenset({"failed", "broken"})


def read_allure(source: Source) -> Iterator[ReportItem]:
    """The test of a result file."""
    for _, value in pieces(source, ("",)):
        result = mapping(value)
        if not text(result.get("status")):
            raise BrokenReportError("the result has no status")
        yield _case(result)


def read_allure_container(source: Source) -> Iterator[ReportItem]:
    """Fixtures that failed; nothing where all is well, for a container holds no test."""
    for _, value in pieces(source, ("",)):
        container = mapping(value)
        for fixture in (*mappings(container.get("befores")), *mappings(container.get("afters"))):
            if text(fixture.get("status")).lower() in _RED:
                name = text(fixture.get("name")) or "fixture"
                yield ReportedSuite(path=(name,), line=0, problems=(_problem(fixture),))


def _case(result: Mapping[str, Any]) -> ReportedCase:
    status = _STATUSES.get(text(result.get("status")).lower(), CaseStatus.ERROR)
    labels = {text(each.get("name")): text(each.get("value")) for each in mappings(result.get("labels"))}
    suites = (labels.get("parentSuite", ""), labels.get("suite", ""), labels.get("subSuite", ""))
    start, stop = result.get("start"), result.get("stop")
    elapsed = 0.0
    if isinstance(start, int | float) and isinstance(stop, int | float):
        elapsed = seconds(stop - start, per=1000)
    return ReportedCase(
        name=text(result.get("name")) or text(result.get("fullName")) or "(no name)",
        class_name=labels.get("testClass") or None,
        suites=tuple(each for each in suites if each),
        status=status,
        duration_seconds=elapsed,
        line=0,
        problems=() if status is CaseStatus.PASSED else (_problem(result),),
        attachments=tuple(
            source for each in mappings(result.get("attachments")) if (source := text(each.get("source")))
        ),
    )


def _problem(result: Mapping[str, Any]) -> Problem:
    details = mapping(result.get("statusDetails"))
    said = details.get("message") or f"its status is {text(result.get('status'))}"
    kind = "skipped" if text(result.get("status")) == "skipped" else "failure"
    return problem("error" if text(result.get("status")) == "broken" else kind, said, details.get("trace"))
