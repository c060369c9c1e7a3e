"""Playwright's JSON report (reporter `json`).

A test is a spec in a project; its class is the project in brackets, as `--test-list` writes it. What counts is the test's own
status, which compares the results with what was expected: a test that had to fail and failed is `expected`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import mappings, problem, seconds, sequence, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import Problem, ReportedCase, ReportedSuite, ReportItem

_STATUSES = {
    "expected": CaseStatus.PASSED,
    "unexpected": CaseStatus.FAILED,
    "flaky": CaseStatus.FLAKY,
    "skipped": CaseStatus.SKIPPED,
}
_FAILED = frozenset({"failed", "timedOut", "interrupted"})


def read_playwright(source: Source) -> Iterator[ReportItem]:
    """Tests in the order of the report, then errors outside of any test: files that could not be loaded and the like."""
    errors: list[Problem] = []
    elapsed = 0.0
    for place, value in pieces(source, ("suites.item", "errors.item", "stats.duration")):
        if place == "errors.item":
            errors += _errors([value])
        elif place == "stats.duration":
            elapsed = seconds(value, per=1000)
        elif isinstance(value, Mapping):
            yield from _suite(value, ())
    problems = tuple(errors[: source.limits.items])
    yield ReportedSuite(path=("errors",), line=0, problems=problems, duration_seconds=elapsed)


def _suite(suite: Mapping[str, Any], outer: tuple[str, ...]) -> Iterator[ReportItem]:
    title = text(suite.get("title"))
    path = (*outer, title) if title else outer
    for spec in mappings(suite.get("specs")):
        for test in mappings(spec.get("tests")):
            yield _case(spec, test, path)
    for inner in mappings(suite.get("suites")):
        yield from _suite(inner, path)


def _case(spec: Mapping[str, Any], test: Mapping[str, Any], path: tuple[str, ...]) -> ReportedCase:
    results = list(mappings(test.get("results")))
    project = text(test.get("projectName"))
    failures = [
        one for result in results if text(result.get("status")) in _FAILED for one in _problems(result)
    ]
    status = _STATUSES.get(text(test.get("status")), _of_results(results, spec))
    skip = [problem("skipped", _annotation(test))] if status is CaseStatus.SKIPPED else []
    red = status is CaseStatus.FAILED
    return ReportedCase(
        name=text(spec.get("title")) or "(no title)",
        class_name=f"[{project}]" if project else None,
        suites=path,
        status=status,
        duration_seconds=sum(seconds(result.get("duration"), per=1000) for result in results),
        line=0,
        file=text(spec.get("file")) or None,
        problems=tuple(failures[-1:] if red else skip),
        reruns=tuple(failures[:-1] if red else failures if status is CaseStatus.FLAKY else ()),
        output="".join(_printed(result.get("stdout")) for result in results),
        error_output="".join(_printed(result.get("stderr")) for result in results),
        attachments=tuple(
            dict.fromkeys(
                file
                for result in results
                for each in mappings(result.get("attachments"))
                if (file := text(each.get("path")))
            )
        ),
    )


def _of_results(results: list[Mapping[str, Any]], spec: Mapping[str, Any]) -> CaseStatus:
    """Of a test whose own status is none that is known: the last result's, and never green without one."""
    last = text(results[-1].get("status")) if results else ""
    if last == "passed" and spec.get("ok") is not False:
        return CaseStatus.PASSED
    return CaseStatus.SKIPPED if last == "skipped" else CaseStatus.FAILED


def _problems(result: Mapping[str, Any]) -> list[Problem]:
    found = _errors([*sequence(result.get("errors"))] or [result.get("error")])
    return found[:1] or [problem("failure", f"the test ended as {text(result.get('status'))}")]


def _errors(errors: list[Any]) -> list[Problem]:
    return [
        problem(
            "failure",
            text(error.get("message")).partition("\n")[0],
            error.get("stack") or error.get("message") or error.get("value"),
        )
        for error in mappings(errors)
    ]


def _annotation(test: Mapping[str, Any]) -> str:
    return next((text(each.get("description")) for each in mappings(test.get("annotations"))), "")


def _printed(entries: object) -> str:
    return "".join(text(each.get("text")) for each in mappings(entries))
