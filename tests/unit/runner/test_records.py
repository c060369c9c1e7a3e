"""Records of tests whose process died. Output: a report that ingestion reads like any other."""

from pathlib import Path

from crosswind.adapters.frameworks.base import Ended, Trace
from crosswind.adapters.reports.junit import JUnitReader
from crosswind.contracts.statuses import CaseStatus
from crosswind.runner.records import not_run, records_of, write_records
from crosswind.runs.reports import ReportedCase


def test_each_test_has_the_record_that_is_honest_about_it(tmp_path: Path) -> None:
    trace = Trace(
        begun=frozenset({"passed", "failed", "skipped", "odd", "running", "\x00\ud800<&>"}),
        ended={
            "passed": Ended("passed", 1.5),
            "failed": Ended("failed", 0.5, "line one\nassert 1 == 2"),
            "skipped": Ended("skipped"),
            "odd": Ended("wonderful"),
        },
    )
    tests = ["passed", "failed", "skipped", "odd", "running", "\x00\ud800<&>", "waiting"]
    records = records_of(tests, trace, death="The process ended")
    assert [record.test_id for record in records] == tests[:-1]
    report = tmp_path / "r.xml"
    write_records(report, [*records, *not_run(["waiting"], death="The process ended")])
    with report.open("rb") as stream:
        read = list(JUnitReader().read(stream, name="r.xml"))
    cases = {case.node_id: case for case in read if isinstance(case, ReportedCase)}
    assert {name: case.status for name, case in cases.items()} == {
        "passed": CaseStatus.PASSED,
        "failed": CaseStatus.FAILED,
        "skipped": CaseStatus.SKIPPED,
        "odd": CaseStatus.ERROR,
        "running": CaseStatus.ERROR,
        "\\x00\\xd800<&>": CaseStatus.ERROR,
        "waiting": CaseStatus.ERROR,
    }
    assert cases["failed"].problems[0].message == "assert 1 == 2"
    assert cases["running"].problems[0].message == (
        "The process ended while this test ran; the log may tell why"
    )
    assert cases["waiting"].problems[0].message == "The process ended before this test ran"
    assert cases["passed"].duration_seconds == 1.5
