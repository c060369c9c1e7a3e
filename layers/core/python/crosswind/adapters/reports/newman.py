"""Newman's JSON report (reporter `json`): each assertion of each request is a test.

A request that could not be sent and a script that failed have no assertion to fail: they are told of the request.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import Source
from crosswind.adapters.reports.values import count, mapping, mappings, problem, seconds, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import Problem, ReportedCase, ReportedSuite, ReportFault, ReportItem

_SKIPPED = ("stream", "event", "body", "header", "cookie", "script")
_TIMES = ("run.timings.started", "run.timings.completed")
_PLACES = (
    "collection.item.item",
    "run.executions.item",
    "run.failures.item",
    "run.stats.assertions.failed",
    *_TIMES,
)


def read_newman(source: Source) -> Iterator[ReportItem]:  # noqa: C901  # one branch a place
    """Assertions in the order of their requests."""
    folders: dict[str, tuple[str, ...]] = {}
    declared = red = 0
    times: dict[str, float] = {}
    for place, value in pieces(source, _PLACES, skipped=_SKIPPED):
        if place == "run.stats.assertions.failed":
            declared = count(value)
        elif place in _TIMES and isinstance(value, int | float):
            times[place] = float(value)
        elif not isinstance(value, Mapping):
            continue
        elif place == "collection.item.item":
            folders.update(_folders(value, ()))
        elif place == "run.executions.item":
            for item in _execution(value, folders):
                red += isinstance(item, ReportedSuite) or item.status is CaseStatus.FAILED
                yield item
        elif (suite := _failure(value)) is not None:
            red += 1
            yield suite
    if len(times) == len(_TIMES):
        elapsed = seconds(times[_TIMES[1]] - times[_TIMES[0]], per=1000)
        yield ReportedSuite(path=(), line=0, duration_seconds=elapsed)
    if declared and not red:
        yield ReportFault(source.name, f"it declares {declared} failed assertions and holds no record of one")


def _folders(item: Mapping[str, Any], outer: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of each request below, by its id, the names of its folders."""
    if isinstance(item.get("item"), list):
        for inner in mappings(item["item"]):
            yield from _folders(inner, (*outer, text(item.get("name"))))
    elif identity := text(item.get("id")):
        yield identity, outer


def _execution(
    execution: Mapping[str, Any], folders: Mapping[str, tuple[str, ...]]
) -> Iterator[ReportedCase | ReportedSuite]:
    item = mapping(execution.get("item"))
    name = text(item.get("name")) or "(no name)"
    iteration = count(mapping(execution.get("cursor")).get("iteration"))
    if iteration:
        name = f"{name} (iteration {iteration + 1})"
    path = (*folders.get(text(item.get("id")), ()), name)
    elapsed = seconds(mapping(execution.get("response")).get("responseTime"), per=1000)
    if execution.get("requestError"):
        yield ReportedSuite(path=path, line=0, problems=(_error(execution["requestError"]),))
    assertions = list(mappings(execution.get("assertions")))
    named: Counter[str] = Counter()
    for assertion in assertions:
        said = text(assertion.get("assertion")) or "(no name)"
        named[said] += 1
        error = assertion.get("error")
        status = CaseStatus.FAILED if error else CaseStatus.PASSED
        if assertion.get("skipped") is True:
            status = CaseStatus.SKIPPED
        yield ReportedCase(
            name=said if named[said] == 1 else f"{said} ({named[said]})",
            class_name=None,
            suites=path,
            status=status,
            duration_seconds=elapsed / len(assertions),
            line=0,
            problems=(_error(error),) if status is CaseStatus.FAILED else (),
        )


def _failure(failure: Mapping[str, Any]) -> ReportedSuite | None:
    """A failure that is no assertion's: of a script, or of a request, which its execution may have told already."""
    at = text(failure.get("at"))
    error = mapping(failure.get("error"))
    if at.startswith("assertion") or text(error.get("name")) == "AssertionError" or at == "request":
        return None
    source = mapping(failure.get("source"))
    parent = text(mapping(failure.get("parent")).get("name"))
    path = tuple(each for each in (parent, text(source.get("name")), at) if each)
    return ReportedSuite(path=path or ("script",), line=0, problems=(_error(error),))


def _error(error: object) -> Problem:
    said = mapping(error)
    return problem(
        "failure",
        said.get("message") or said.get("code") or text(error),
        said.get("stack"),
        type_=said.get("name"),
    )
