"""Real reports of every format with figures that several tools agree on, where a folder of them is at hand.

CROSSWIND_REPORT_CORPUS names the folder: `manifest.jsonl` has a line for each file with its place, its format and its figures.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crosswind.adapters.reports.anyformat import AnyReportReader
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportedSuite, ReportFault, ReportItem

FOLDER = Path(os.environ.get("CROSSWIND_REPORT_CORPUS", ""))

pytestmark = pytest.mark.skipif(
    not (FOLDER / "manifest.jsonl").is_file(), reason="CROSSWIND_REPORT_CORPUS names no corpus"
)

NO_REPORTS = {"not-a-report", "unsupported-report", "empty"}


def entries() -> list[dict[str, Any]]:
    """The manifest."""
    with (FOLDER / "manifest.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read(entry: dict[str, Any]) -> list[ReportItem]:
    with (FOLDER / entry["local"]).open("rb") as stream:
        return list(AnyReportReader().read(stream, name=entry["local"]))


def figures(items: list[ReportItem]) -> list[int]:
    counts: Counter[CaseStatus] = Counter()
    tests = 0
    for case in (item for item in items if isinstance(item, ReportedCase)):
        tests += case.samples
        counts[case.status] += case.failed_samples or 1
    aborted = sum(isinstance(item, ReportedSuite) and item.aborts for item in items)
    return [tests, counts[CaseStatus.FAILED], counts[CaseStatus.ERROR] + aborted, counts[CaseStatus.SKIPPED]]


def is_red(items: list[ReportItem]) -> bool:
    return any(
        item.status in {CaseStatus.FAILED, CaseStatus.ERROR}
        if isinstance(item, ReportedCase)
        else isinstance(item, ReportFault) or any(each.kind != "skipped" for each in item.problems)
        for item in items
    )


def test_every_whole_report_gives_its_known_figures() -> None:
    wrong = []
    for entry in entries():
        if entry["malformed"] or entry["format"] in NO_REPORTS:
            continue
        names = ("tests", "failures", "errors", "skipped")
        known = [
            [entry[name] for name in names],
            *([each.get(name) for name in names] for each in entry["alts"]),
        ]
        found = figures(read(entry))
        if found not in known:
            wrong.append((entry["local"], known[0], found))
    assert wrong == []


def test_no_report_of_a_failure_is_green() -> None:
    assert [entry["local"] for entry in entries() if entry["red"] and not is_red(read(entry))] == []


def test_what_is_damaged_or_no_report_is_told_or_holds_no_test() -> None:
    silent = []
    for entry in entries():
        if entry["malformed"] or entry["format"] in NO_REPORTS:
            items = read(entry)
            told = any(isinstance(item, ReportFault) for item in items)
            if not told and any(isinstance(item, ReportedCase) for item in items):
                silent.append(entry["local"])
    assert silent == []
