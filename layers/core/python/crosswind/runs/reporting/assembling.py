"""A report out of test cases: counts, causes, the flaky and the slowest ones. All else of it is added by who knows it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from crosswind.contracts.requests import CaseCounts, CaseView, VerdictKind, VerdictView
from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.pages import whole_text
from crosswind.runs.reporting.clustering import cluster
from crosswind.runs.reporting.model import CaseRow, FileRow, FlakyCase, RunReport, TimedCase
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault, ReportItem

MAX_CASES = 50_000
MAX_DETAILS = 16 * 1024 * 1024  # of all cases together, failures first
_SLOWEST = 20
_FLAKY = 100
_WORST_FIRST = {status: place for place, status in enumerate(CaseStatus)}


def assemble(  # each is a part of the report of its own
    cases: Iterable[CaseRow],
    *,
    title: str,
    counts: CaseCounts | None = None,
    verdict: VerdictView | None = None,
    known_causes: AbstractSet[str] = frozenset(),
    compared_with: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    **parts: Any,
) -> RunReport:
    """A report of these cases. `counts` unless told are theirs; `parts` are fields of RunReport as they are."""
    kept, total = _bounded(sorted(cases, key=lambda case: _WORST_FIRST[case.status]))
    rows, clusters = cluster(kept, known=known_causes, compared_with=compared_with)
    counted = counts or counts_of(total)
    omitted = max(0, counted.total - len(rows)) if counted.total > len(rows) else 0
    if omitted:
        notes = (*notes, f"{omitted:,} of {counted.total:,} tests are counted here and not listed")
    return RunReport(
        title=title,
        verdict=verdict,
        counts=counted,
        cases=rows,
        omitted_cases=omitted,
        clusters=clusters,
        flaky=tuple(_flaky(rows)),
        slowest=tuple(_slowest(rows)),
        notes=notes,
        **parts,
    )


def counts_of(statuses: Mapping[CaseStatus, int]) -> CaseCounts:
    """Counts by status."""
    return CaseCounts(
        total=sum(statuses.values()), **{status.value: statuses.get(status, 0) for status in CaseStatus}
    )


def row_of(view: CaseView) -> CaseRow:
    """A case of the API as a row of a report."""
    shared = CaseRow.model_fields.keys() & CaseView.model_fields.keys()
    files = tuple(FileRow(path=file.path, work_id=file.work_id) for file in view.artifacts)
    return CaseRow(**view.model_dump(include=set(shared)), files=files)


def from_cases(cases: Iterable[CaseView], *, title: str, **parts: Any) -> RunReport:
    """A report of nothing but test cases; its verdict is theirs unless one is given."""
    return _judged(assemble(map(row_of, cases), title=title, **parts))


def from_items(items: Iterable[ReportItem], *, title: str, **parts: Any) -> RunReport:
    """A report of what a reader yields of report files: what it could not read keeps the report from being green."""
    rows: list[CaseRow] = []
    faults: list[str] = []
    for item in items:
        if isinstance(item, ReportedCase):
            rows.append(_reported(item, number=len(rows)))
        elif isinstance(item, ReportedSuite):
            rows.extend(_suite_failures(item, number=len(rows)))
        elif isinstance(item, ReportFault):
            faults.append(whole_text(str(item)))
    notes = (*parts.pop("notes", ()), *faults)
    verdict = parts.pop("verdict", None)
    report = assemble(rows, title=title, notes=notes, verdict=verdict, **parts)
    if faults and verdict is None and not report.failures:
        why = VerdictView(
            kind=VerdictKind.INCONCLUSIVE,
            reason=f"a part of the reports could not be read: {faults[0][:300]}",
        )
        return report.model_copy(update={"verdict": why})
    return _judged(report)


def _judged(report: RunReport) -> RunReport:
    if report.verdict is not None:
        return report
    counts = report.counts
    red = counts.failed + counts.error + counts.missing
    if red:
        kind, reason = VerdictKind.FAILED, f"{red:,} of {counts.total:,} tests failed"
    elif not counts.total:
        kind, reason = VerdictKind.INCONCLUSIVE, "there are no tests"
    elif counts.skipped == counts.total:
        kind, reason = VerdictKind.SKIPPED, "every test was skipped"
    else:
        kind, reason = VerdictKind.PASSED, f"{counts.passed + counts.flaky:,} tests passed"
    return report.model_copy(update={"verdict": VerdictView(kind=kind, reason=reason)})


def _bounded(cases: Iterable[CaseRow]) -> tuple[list[CaseRow], Counter[CaseStatus]]:
    kept: list[CaseRow] = []
    total: Counter[CaseStatus] = Counter()
    room = MAX_DETAILS
    for case in cases:
        total[case.status] += 1
        if len(kept) >= MAX_CASES:
            continue
        size = len(case.details or "")
        if size > room:
            case = case.model_copy(update={"details": None})  # noqa: PLW2901
            size = 0
        room -= size
        kept.append(case)
    return kept, total


def _slowest(rows: Iterable[CaseRow]) -> Iterable[TimedCase]:
    timed = sorted((row for row in rows if row.duration_seconds > 0), key=lambda row: -row.duration_seconds)
    for row in timed[:_SLOWEST]:
        yield TimedCase(name=row.name, test=row.test, duration_seconds=row.duration_seconds)


def _flaky(rows: Iterable[CaseRow]) -> Iterable[FlakyCase]:
    found = [row for row in rows if row.status is CaseStatus.FLAKY]
    for row in found[:_FLAKY]:
        reason = (
            f"failed, then passed in attempt {row.attempts}" if row.attempts > 1 else "failed, then passed"
        )
        yield FlakyCase(name=row.name, test=row.test, attempts=row.attempts, status=row.status, reason=reason)


def _reported(case: ReportedCase, *, number: int) -> CaseRow:
    problems = case.problems or case.reruns
    parts = dict.fromkeys(part for part in (*case.suites, case.class_name or "", case.name) if part)
    return CaseRow(
        id=f"case-{number}",
        test=whole_text(case.suites[0] if case.suites else ""),
        name=whole_text(case.node_id or " / ".join(parts) or "(no name)"),
        status=case.status,
        duration_seconds=case.duration_seconds,
        attempts=1 + len(case.reruns),
        message=whole_text(problems[0].message or problems[0].text[:500]) if problems else None,
        details=whole_text("\n\n".join(each.text for each in problems if each.text)) or None,
    )


def _suite_failures(suite: ReportedSuite, *, number: int) -> Iterable[CaseRow]:
    for place, problem in enumerate(suite.problems):
        yield CaseRow(
            id=f"case-{number + place}",
            test=whole_text(suite.path[0] if suite.path else ""),
            name=whole_text(" / ".join(suite.path) or "(suite)"),
            status=CaseStatus.ERROR,
            message=whole_text(problem.message or problem.text[:500]),
            details=whole_text(problem.text) or None,
        )
