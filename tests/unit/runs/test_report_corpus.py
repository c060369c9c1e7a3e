"""The JUnit reader against a folder of real reports with known figures, where there is one.

`CROSSWIND_REPORT_CORPUS` names a folder with `manifest.jsonl`: one JSON object a line with `format`, `local` (the file's path
inside the folder), `tests`, `failures`, `errors`, `skipped` and `malformed`.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crosswind.adapters.reports.junit import JUnitReader
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reports import ReportedCase, ReportFault

FOLDER = Path(os.environ.get("CROSSWIND_REPORT_CORPUS", "/nonexistent"))
pytestmark = pytest.mark.skipif(
    not (FOLDER / "manifest.jsonl").is_file(), reason="CROSSWIND_REPORT_CORPUS names no corpus"
)


def entries() -> list[dict[str, Any]]:
    with (FOLDER / "manifest.jsonl").open(encoding="utf-8") as lines:
        return [entry for line in lines if (entry := json.loads(line))["format"] == "junit-xml"]


def test_every_junit_report_gives_its_known_figures() -> None:
    wrong = []
    for entry in entries():
        with (FOLDER / entry["local"]).open("rb") as stream:
            items = list(JUnitReader().read(stream, name=entry["local"]))
        counts = Counter(item.status for item in items if isinstance(item, ReportedCase))
        figures = [
            sum(counts.values()),
            counts[CaseStatus.FAILED],
            counts[CaseStatus.ERROR],
            counts[CaseStatus.SKIPPED],
        ]
        known = [entry[key] for key in ("tests", "failures", "errors", "skipped")]
        silent = entry["malformed"] and not any(isinstance(item, ReportFault) for item in items)
        if figures != known or silent:
            wrong.append((entry["local"], known, figures))
    assert wrong == []


def test_every_other_file_is_refused_as_no_junit_report() -> None:
    with (FOLDER / "manifest.jsonl").open(encoding="utf-8") as lines:
        others = [entry for line in lines if (entry := json.loads(line))["format"] == "not-a-report"]
    for entry in others:
        with (FOLDER / entry["local"]).open("rb") as stream:
            items = list(JUnitReader().read(stream, name=entry["local"]))
        assert any(isinstance(item, ReportFault) for item in items), entry["local"]
