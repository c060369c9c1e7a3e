"""JUnit XML as Jenkins and Surefire know it: one suite for each test job, a flaky test as Surefire writes it.

A missing test is an error of the type `missing`; a muted failure stays a failure, for the form has no word for it.
"""

from collections import defaultdict
from collections.abc import Iterable
from xml.etree import ElementTree as ET  # it is written here, never read

from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.pages import xml_text
from crosswind.runs.reporting.model import CaseRow, RunReport

_ELEMENTS = {
    CaseStatus.FAILED: "failure",
    CaseStatus.ERROR: "error",
    CaseStatus.MISSING: "error",
    CaseStatus.SKIPPED: "skipped",
    CaseStatus.FLAKY: "flakyFailure",
}


def render(report: RunReport) -> bytes:
    """The report as UTF-8."""
    by_job: defaultdict[str, list[CaseRow]] = defaultdict(list)
    for case in report.told_cases:
        by_job[f"{case.test} ({case.variant})" if case.variant else case.test].append(case)
    root = ET.Element(
        "testsuites", {"name": xml_text(report.title), **_figures(report.told_cases, skipped=False)}
    )
    for job, cases in by_job.items():
        suite = ET.SubElement(root, "testsuite", {"name": xml_text(job or report.title), **_figures(cases)})
        if report.run and report.run.started_at:
            suite.set("timestamp", xml_text(report.run.started_at))
        for case in cases:
            _add(suite, case, class_name=job or report.title)
    ET.indent(root, space=" ")
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _add(suite: ET.Element, case: CaseRow, *, class_name: str) -> None:
    made = ET.SubElement(
        suite,
        "testcase",
        name=xml_text(case.name),
        classname=xml_text(class_name),
        time=f"{max(case.duration_seconds, 0):.6f}",
    )
    kind = _ELEMENTS.get(case.status)
    if kind is None:
        return
    problem = ET.SubElement(made, kind, type="missing" if case.status is CaseStatus.MISSING else kind)
    problem.set("message", xml_text(case.message or ""))
    problem.text = xml_text(case.details or "")


def _figures(cases: Iterable[CaseRow], *, skipped: bool = True) -> dict[str, str]:
    known = tuple(cases)
    kinds = [_ELEMENTS.get(case.status) for case in known]
    figures = {
        "tests": str(len(known)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "time": f"{sum(max(case.duration_seconds, 0) for case in known):.6f}",
    }
    return {**figures, "skipped": str(kinds.count("skipped"))} if skipped else figures
