"""Cucumber's JSON report, of all its editions and of behave: each scenario is a test.

A scenario fails when a step, a hook or its background fails, and where a step is undefined, pending or ambiguous: it has proven
nothing. One of which a step was skipped, or that has none, was skipped.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import mapping, mappings, problem, seconds, sequence, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import Problem, ReportedCase, ReportItem

_FAILED = frozenset({"failed", "undefined", "pending", "ambiguous", "error", "hook_error", "unknown"})
_NANOSECONDS = 10**9


def read_cucumber(source: Source) -> Iterator[ReportItem]:
    """Scenarios feature by feature."""
    for _, feature in pieces(source, ("item",), skipped=("embeddings", "rows", "match")):
        background: list[Mapping[str, Any]] = []
        named: dict[str, int] = {}
        for element in mappings(mapping(feature).get("elements")):
            steps = list(_steps(element))
            if text(element.get("type")) == "background" or text(element.get("keyword")) == "Background":
                background = steps
                continue
            yield _case(mapping(feature), element, [*background, *steps], named)
            background = []


def _steps(element: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from mappings(element.get("before"))
    for step in mappings(element.get("steps")):
        yield from mappings(step.get("before"))
        yield step
        yield from mappings(step.get("after"))
    yield from mappings(element.get("after"))


def _case(
    feature: Mapping[str, Any],
    element: Mapping[str, Any],
    steps: list[Mapping[str, Any]],
    named: dict[str, int],
) -> ReportedCase:
    statuses = [text(mapping(step.get("result")).get("status")).lower() for step in steps]
    problems = [
        _problem(step, status) for step, status in zip(steps, statuses, strict=True) if status in _FAILED
    ]
    own = text(element.get("status")).lower()
    if not problems and own in _FAILED:
        problems.append(problem("failure", f"the scenario is {own}"))
    status = CaseStatus.FAILED if problems else CaseStatus.PASSED
    if not problems and ("passed" not in statuses or "skipped" in (*statuses, own)):
        status = CaseStatus.PASSED if own == "passed" else CaseStatus.SKIPPED
    name = text(element.get("name")) or "(no name)"
    named[name] = named.get(name, 0) + 1
    return ReportedCase(
        name=name if named[name] == 1 else f"{name} ({named[name]})",
        class_name=None,
        suites=(text(feature.get("name")) or text(feature.get("uri")),),
        status=status,
        duration_seconds=sum(_duration(mapping(step.get("result")).get("duration")) for step in steps),
        line=int(seconds(element.get("line"))),
        file=text(feature.get("uri")) or None,
        problems=tuple(problems[:1]),
    )


def _duration(value: object) -> float:
    """Cucumber writes whole nanoseconds, behave fractions of a second."""
    return seconds(value) if isinstance(value, float) else seconds(value, per=_NANOSECONDS)


def _problem(step: Mapping[str, Any], status: str) -> Problem:
    error = mapping(step.get("result")).get("error_message")
    said = "\n".join(text(each) for each in sequence(error)) if isinstance(error, list) else text(error)
    label = f"{text(step.get('keyword'))}{text(step.get('name'))}".strip() or "a hook"
    first = said.strip().partition("\n")[0]
    return problem("failure", f"{label}: {first or status}", said)
