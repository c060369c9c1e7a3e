"""`go test -json`: one event a line. A test that began and has no end failed with its package, or the file was cut off."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.adapters.reports.values import mapping, problem, seconds, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault, ReportItem

_ENDS = {"pass": CaseStatus.PASSED, "fail": CaseStatus.FAILED, "skip": CaseStatus.SKIPPED}
_KNOWN = frozenset(
    {"start", "run", "pause", "cont", "bench", "output", "attr", "build-output", "build-fail", *_ENDS}
)
_MOST_OUTPUT = 16 * 1024


@dataclass(slots=True)
class _Package:
    tests: dict[str, list[str]] = field(default_factory=dict)  # those without an end, and what they print
    output: list[str] = field(default_factory=list)
    red: bool = False
    ended: bool = False


def read_go_test(source: Source) -> Iterator[ReportItem]:
    """Tests as they end, then packages that failed without a failed test."""
    packages: dict[str, _Package] = {}
    seen = damaged = 0
    for number, line in source.lines():
        event = _event(line)
        if event is None:
            damaged += bool(line.strip())
            if line.strip() and damaged == 1:
                yield ReportFault(
                    f"{source.name}, line {number}", "it is no event of go test; what it tells is lost"
                )
            continue
        name = text(event.get("Package")) or text(event.get("ImportPath"))
        package = packages.setdefault(name, _Package())
        for item in _take(event, name, package):
            seen += 1
            if seen > source.limits.cases:
                raise BrokenReportError(f"there are more than {source.limits.cases} tests")
            yield item
    for name, package in packages.items():
        for test, output in package.tests.items():
            yield _case(name, test, CaseStatus.FAILED, 0.0, [*output, "the test began and has no end\n"])
        if not package.ended:
            yield ReportFault(source.name, f"package {name} has no end: the file was cut off")


def _event(line: str) -> Mapping[str, Any] | None:
    try:
        event = mapping(json.loads(line))
    except (ValueError, RecursionError):
        return None
    return event if text(event.get("Action")) in _KNOWN else None


def _take(event: Mapping[str, Any], name: str, package: _Package) -> Iterator[ReportItem]:
    action, test = text(event.get("Action")), text(event.get("Test"))
    if action in {"output", "build-output"}:
        _keep(package.tests.get(test, package.output), text(event.get("Output")))
    elif action == "run":
        package.tests.setdefault(test, [])
    elif action == "build-fail":
        package.ended = package.red = True
        yield _failed(name, package, "the package does not build")
    elif action in _ENDS and test:
        output = package.tests.pop(test, [])
        package.red = package.red or action == "fail"
        yield _case(name, test, _ENDS[action], seconds(event.get("Elapsed")), output)
    elif action in _ENDS:
        package.ended = True
        if action == "fail":
            for left, output in package.tests.items():
                package.red = True
                yield _case(name, left, CaseStatus.FAILED, 0.0, [*output, "its package ended while it ran\n"])
            package.tests.clear()
            if not package.red:
                yield _failed(name, package, "the package failed outside of its tests")


def _keep(lines: list[str], line: str) -> None:
    if sum(map(len, lines[-50:])) < _MOST_OUTPUT and len(lines) < 1000:  # noqa: PLR2004
        lines.append(line[:_MOST_OUTPUT])


def _failed(name: str, package: _Package, why: str) -> ReportedSuite:
    return ReportedSuite(path=(name,), line=0, problems=(problem("error", why, "".join(package.output)),))


def _case(package: str, test: str, status: CaseStatus, elapsed: float, output: list[str]) -> ReportedCase:
    said = "".join(output)
    useful = [
        line.strip() for line in output if line.strip() and not line.lstrip().startswith(("===", "---"))
    ]
    return ReportedCase(
        name=test,
        class_name=None,
        suites=(package,) if package else (),
        status=status,
        duration_seconds=elapsed,
        line=0,
        problems=(problem("failure", useful[0] if useful else "", said),)
        if status is CaseStatus.FAILED
        else (),
    )
