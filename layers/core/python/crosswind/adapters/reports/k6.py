"""k6: the end-of-test summary in its two shapes, and the stream of points (`--out json`).

Each check is a test, by its groups and its name. A breached threshold makes the whole report red: k6 itself fails on nothing
else. `--summary-export` writes a threshold that was breached as `true`; `handleSummary` writes `{"ok": false}`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from crosswind.adapters.reports.json_stream import pieces
from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.adapters.reports.values import count, mapping, mappings, problem, seconds, sequence, text
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault, ReportItem


def read_k6_summary(source: Source) -> Iterator[ReportItem]:
    """Checks, then breached thresholds."""
    metrics: Mapping[str, Any] = {}
    for place, value in pieces(source, ("root_group", "metrics", "state.testRunDurationMs")):
        if place == "root_group":
            yield from _group(mapping(value), ())
        elif place != "metrics":
            yield ReportedSuite(path=(), line=0, duration_seconds=seconds(value, per=1000))
        else:
            metrics = mapping(value)
    for name, metric in metrics.items():
        for expression, held in mapping(mapping(metric).get("thresholds")).items():
            breached = held is True if isinstance(held, bool) else mapping(held).get("ok") is not True
            if breached:
                yield _breach(name, expression, mapping(metric))


def _breach(name: str, expression: str, metric: Mapping[str, Any]) -> ReportedSuite:
    values = mapping(metric.get("values")) or metric
    figures = ", ".join(f"{key}={value}" for key, value in values.items() if isinstance(value, int | float))
    said = f"threshold `{expression}` on {name} was breached"
    return ReportedSuite(
        path=("thresholds", name, expression),
        line=0,
        problems=(problem("failure", said, f"{said}: {figures}"),),
    )


def _group(group: Mapping[str, Any], outer: tuple[str, ...]) -> Iterator[ReportedCase]:
    for name, check in _named(group.get("checks")):
        yield _check(name, count(check.get("passes")), count(check.get("fails")), outer)
    for name, inner in _named(group.get("groups")):
        yield from _group(inner, (*outer, name))


def _named(given: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The elements of a list with their names, or the members of a mapping."""
    if isinstance(given, Mapping):
        for name, each in given.items():
            yield text(mapping(each).get("name")) or name, mapping(each)
    else:
        yield from ((text(each.get("name")), each) for each in mappings(given))


def _check(name: str, passes: int, fails: int, groups: tuple[str, ...]) -> ReportedCase:
    status = CaseStatus.FAILED if fails else CaseStatus.PASSED if passes else CaseStatus.SKIPPED
    said = f"{fails} of {passes + fails} times it did not hold"
    return ReportedCase(
        name=name or "(no name)",
        class_name=None,
        suites=groups,
        status=status,
        duration_seconds=0.0,
        line=0,
        problems=(problem("failure", said),) if fails else (),
    )


def read_k6_points(source: Source) -> Iterator[ReportItem]:
    """Checks, counted over all points. Whether thresholds held, this format cannot tell: one that is declared is a fault."""
    checks: dict[tuple[str, str], list[int]] = {}
    thresholds = 0
    damaged = 0
    for number, line in source.lines():
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            damaged += 1
            if damaged <= 3:  # noqa: PLR2004  # the first ones tell enough
                yield ReportFault(f"{source.name}, line {number}", "it is no JSON; what it tells is lost")
            continue
        data = mapping(mapping(entry).get("data"))
        if mapping(entry).get("type") == "Metric":
            thresholds += len(sequence(data.get("thresholds")))
        elif mapping(entry).get("metric") == "checks":
            tags = mapping(data.get("tags"))
            key = (text(tags.get("group")), text(tags.get("check")))
            if key not in checks and len(checks) >= source.limits.cases:
                raise BrokenReportError(f"there are more than {source.limits.cases} checks")
            counts = checks.setdefault(key, [0, 0])
            counts[0 if data.get("value") == 1 else 1] += 1
    for (group, check), (passes, fails) in checks.items():
        yield _check(check, passes, fails, tuple(part for part in group.split("::") if part))
    if thresholds:
        why = f"{thresholds} thresholds are declared, and this format does not tell whether they held: read the summary"
        yield ReportFault(source.name, why)
