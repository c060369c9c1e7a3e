"""TAP, the Test Anything Protocol, versions 12 to 14. Subtests count as the one test that they lead up to.

A plan that promises more tests than there are, and a file that bails out, are never green. A failed test that is marked TODO
is expected to fail.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from crosswind.adapters.reports.source import BrokenReportError, Source
from crosswind.adapters.reports.values import problem
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault, ReportItem

_PLAN = re.compile(r"1\.\.(\d{1,9})(?:\s*#\s*(.*))?\s*$")
_TEST = re.compile(r"(not )?ok\b(?:\s+(\d{1,9}))?(?:\s+-)?\s*(.*)$")
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(skip|todo)\S*\s*(.*)$", re.IGNORECASE)
_DURATION = re.compile(r"duration_ms:?\s+([0-9]{1,12}(?:\.[0-9]{1,12})?)")
_MOST_DETAILS = 200  # lines of one test's YAML block


class _Reading:
    """What is known of the file so far."""

    def __init__(self) -> None:
        self.plan: int | None = None
        self.seen = 0
        self.bailed = False
        self.named: dict[str, int] = {}


def read_tap(source: Source) -> Iterator[ReportItem]:
    """Tests in their order, then what the plan misses."""
    reading = _Reading()
    held: ReportedCase | None = None
    details: list[str] = []
    for number, line in source.lines():
        if line[:1] in {" ", "\t"}:
            if held is not None and len(details) < _MOST_DETAILS:
                details.append(line.strip())
            continue
        test = _TEST.match(line)
        if test is not None:
            yield from _told(held, details)
            reading.seen += 1
            if reading.seen > source.limits.cases:
                raise BrokenReportError(f"there are more than {source.limits.cases} tests")
            held, details = _case(test, number, reading), []
        elif plan := _PLAN.match(line):
            reading.plan = int(plan[1])
        elif line.startswith("Bail out!"):
            reading.bailed = True
            yield from _told(held, details)
            held = None
            said = line.removeprefix("Bail out!").strip() or "no reason is given"
            yield ReportedSuite(
                path=("bail out",),
                line=number,
                problems=(problem("error", f"the tests bailed out: {said}"),),
                aborts=True,
            )
            break
    yield from _told(held, details)
    if reading.plan is not None and reading.plan != reading.seen and not reading.bailed:
        yield ReportFault(source.name, f"{reading.plan} tests were planned, and {reading.seen} are told of")
    elif reading.plan is None and not reading.bailed:
        yield ReportFault(source.name, "there is no plan (`1..N`), so nobody knows whether tests are missing")


def _case(test: re.Match[str], number: int, reading: _Reading) -> ReportedCase:
    directive = _DIRECTIVE.search(test[3])
    name = (test[3][: directive.start()] if directive else test[3]).strip()
    name = name or f"test {test[2] or reading.seen}"
    reading.named[name] = reading.named.get(name, 0) + 1
    what = directive[1].lower() if directive else ""
    failed = test[1] is not None and what != "todo"
    status = CaseStatus.FAILED if failed else CaseStatus.PASSED
    if what == "todo" or (what == "skip" and not failed):
        status = CaseStatus.SKIPPED
    reason = directive[2].strip() if directive else ""
    return ReportedCase(
        name=name if reading.named[name] == 1 else f"{name} ({reading.named[name]})",
        class_name=None,
        suites=(),
        status=status,
        duration_seconds=0.0,
        line=number,
        problems=(problem("skipped", reason or what),) if status is CaseStatus.SKIPPED else (),
    )


def _told(case: ReportedCase | None, details: list[str]) -> Iterator[ReportedCase]:
    """A test with what its YAML block says."""
    if case is None:
        return
    duration = next((found for line in details if (found := _DURATION.search(line))), None)
    elapsed = float(duration[1]) / 1000 if duration else 0.0
    told = "\n".join(details)
    problems = case.problems
    if case.status is CaseStatus.FAILED:
        message = next(
            (line.partition(":")[2].strip() for line in details if line.startswith("message:")), ""
        )
        problems = (problem("failure", message.strip("'\"|- ") or case.name, told),)
    yield replace(case, duration_seconds=elapsed, problems=problems)
