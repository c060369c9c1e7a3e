"""Mocha's JSON report (reporter `json`) and mochawesome's, which nests suites and keeps hooks apart."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import mapping, mappings, problem, seconds, sequence, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import Problem, ReportedCase, ReportedSuite, ReportFault, ReportItem

_HOOK = re.compile(r'"(?:before|after)(?: each| all)?" hook')
_LISTS = {
    "failures.item": CaseStatus.FAILED,
    "pending.item": CaseStatus.SKIPPED,
    "passes.item": CaseStatus.PASSED,
}
_STATES = {
    "passed": CaseStatus.PASSED,
    "failed": CaseStatus.FAILED,
    "pending": CaseStatus.SKIPPED,
    "skipped": CaseStatus.SKIPPED,
}


def read_mocha(source: Source) -> Iterator[ReportItem]:
    """Failures, pending and passes. A failed hook is no test: it is told of its suite."""
    declared = {"stats.tests": 0.0, "stats.failures": 0.0, "stats.duration": 0.0}
    seen = red = 0
    for place, value in pieces(source, (*_LISTS, *declared)):
        if place in declared:
            declared[place] = seconds(value)
            continue
        if not isinstance(value, Mapping):
            continue
        status = _LISTS[place]
        red += status is CaseStatus.FAILED
        title = text(value.get("title"))
        if status is CaseStatus.FAILED and _HOOK.match(title):
            yield ReportedSuite(
                path=(text(value.get("fullTitle")) or title,), line=0, problems=(_error(value),)
            )
            continue
        seen += 1
        full = text(value.get("fullTitle"))
        outer = full.removesuffix(title).strip()
        yield ReportedCase(
            name=title or full or "(no title)",
            class_name=None,
            suites=(outer,) if outer and outer != full else (),
            status=status,
            duration_seconds=seconds(value.get("duration"), per=1000),
            line=0,
            file=text(value.get("file")) or None,
            problems=(_error(value),) if status is CaseStatus.FAILED else (),
        )
    yield from _declared(source, declared, seen, red)


def read_mochawesome(source: Source) -> Iterator[ReportItem]:
    """Tests suite by suite, with failed hooks and what was not run because of them."""
    declared = {"stats.tests": 0.0, "stats.failures": 0.0, "stats.duration": 0.0}
    seen = red = 0
    for place, value in pieces(source, ("results.item", *declared), skipped=("code",)):
        if place in declared:
            declared[place] = seconds(value)
            continue
        for item in _suite(mapping(value), (), ""):
            if isinstance(item, ReportedCase):
                seen += 1
                red += item.status is CaseStatus.FAILED
            else:
                red += 1
            yield item
    yield from _declared(source, declared, seen, red)


def _declared(
    source: Source, declared: Mapping[str, float], seen: int, red: int
) -> Iterator[ReportFault | ReportedSuite]:
    tests, failures, elapsed = declared.values()
    yield ReportedSuite(path=(), line=0, duration_seconds=elapsed / 1000)
    if failures and not red:
        yield ReportFault(source.name, f"it declares {failures:.0f} failures and holds no record of one")
    elif tests and not seen and not red:
        yield ReportFault(source.name, f"it declares {tests:.0f} tests and holds no record of one")


def _suite(
    suite: Mapping[str, Any], outer: tuple[str, ...], file: str
) -> Iterator[ReportedCase | ReportedSuite]:
    title = text(suite.get("title"))
    path = (*outer, title) if title else outer
    file = text(suite.get("file")) or text(suite.get("fullFile")) or file
    for hook in (*mappings(suite.get("beforeHooks")), *mappings(suite.get("afterHooks"))):
        if hook.get("fail") is True or hook.get("state") == "failed":
            where = (*path, text(hook.get("title")) or "hook")
            yield ReportedSuite(path=where, line=0, problems=(_error(hook),))
    for test in mappings(suite.get("tests")):
        yield _case(test, path, file)
    for inner in mappings(suite.get("suites")):
        yield from _suite(inner, path, file)


def _case(test: Mapping[str, Any], path: tuple[str, ...], file: str) -> ReportedCase:
    status = _STATES.get(text(test.get("state")), CaseStatus.SKIPPED if _unrun(test) else CaseStatus.ERROR)
    if test.get("fail") is True:
        status = CaseStatus.FAILED
    return ReportedCase(
        name=text(test.get("title")) or text(test.get("fullTitle")) or "(no title)",
        class_name=None,
        suites=path,
        status=status,
        duration_seconds=seconds(test.get("duration"), per=1000),
        line=0,
        file=file or None,
        problems=(_error(test),) if status in {CaseStatus.FAILED, CaseStatus.ERROR} else (),
    )


def _unrun(test: Mapping[str, Any]) -> bool:
    return test.get("skipped") is True or test.get("pending") is True


def _error(test: Mapping[str, Any]) -> Problem:
    error = mapping(test.get("err"))
    details = text(error.get("estack")) or text(error.get("stack"))
    diff = text(error.get("diff")) or "\n".join(text(each) for each in sequence(error.get("diff")))
    return problem("failure", error.get("message"), f"{details}\n\n{diff}" if diff else details)
