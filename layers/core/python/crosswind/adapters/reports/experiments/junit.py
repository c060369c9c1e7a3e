"""JUnit XML: one test case for each probe of the hypothesis in each phase, and one for the run itself.

A run that did not test its hypothesis is no pass: its own case is an error then, or skipped where people ended it.
"""

from xml.etree import ElementTree as ET  # it is written here, never read

from crosswind.contracts.chaos.lifecycle import ExperimentVerdict
from crosswind.contracts.chaos.monitoring import ProbeSummary
from crosswind.contracts.chaos.runs import ExperimentResults
from crosswind.kernel.clock import from_iso
from crosswind.kernel.pages import xml_text

_ERRORS = frozenset(
    {ExperimentVerdict.INCONCLUSIVE, ExperimentVerdict.NOT_INJECTED, ExperimentVerdict.RECOVERY_UNVERIFIED}
)


def render(results: ExperimentResults) -> bytes:
    """The report as UTF-8."""
    run = results.run
    suite = ET.Element("testsuite", name=xml_text(f"{run.team}/{run.experiment}"), timestamp=run.created_at)
    cases = [_verdict_case(results), *(_probe_case(each) for each in results.hypothesis)]
    for case in cases:
        case.set("classname", xml_text(run.experiment))
    suite.extend(cases)
    counts = {
        kind: sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")
    }
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    suite.set("time", f"{_seconds(results):.3f}")
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))


def _verdict_case(results: ExperimentResults) -> ET.Element:
    run = results.run
    case = ET.Element("testcase", name=xml_text(results.title), time=f"{_seconds(results):.3f}")
    reason = xml_text(run.reason or "there is no verdict")
    if run.verdict is ExperimentVerdict.FALSIFIED:
        _add(case, "failure", reason, results.evidence)
    elif run.verdict is ExperimentVerdict.ABORTED:
        _add(case, "skipped", reason, results.evidence)
    elif run.verdict in _ERRORS or run.verdict is None:
        _add(case, "error", reason, results.evidence)
    return case


def _probe_case(summary: ProbeSummary) -> ET.Element:
    step = f" in step {summary.step}" if summary.step else ""
    case = ET.Element("testcase", name=xml_text(f"{summary.probe} {summary.phase.value}{step}"), time="0")
    if not summary.held:
        kind = "error" if summary.samples == summary.unknown else "failure"
        _add(case, kind, xml_text(summary.worst or "it was not measured"), ())
    return case


def _add(case: ET.Element, kind: str, message: str, evidence: tuple[str, ...]) -> None:
    element = ET.SubElement(case, kind, message=message)
    if kind != "skipped":
        element.set("type", kind)
    element.text = xml_text("\n".join(evidence))


def _seconds(results: ExperimentResults) -> float:
    run = results.run
    if run.started_at is None or run.finished_at is None:
        return 0.0
    return max(0.0, (from_iso(run.finished_at) - from_iso(run.started_at)).total_seconds())
