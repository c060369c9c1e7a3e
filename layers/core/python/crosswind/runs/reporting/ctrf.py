"""The Common Test Report Format, as its JSON schema of 2026 has it: a flaky test passed, and says that it is flaky."""

import json
import uuid
from collections import Counter
from datetime import datetime
from typing import Any

from crosswind import __version__
from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.clock import from_iso
from crosswind.kernel.pages import whole_text
from crosswind.runs.reporting.model import CaseRow, RunReport

_SPEC_VERSION = "0.0.0"
_STATUS = {
    CaseStatus.PASSED: "passed",
    CaseStatus.FLAKY: "passed",
    CaseStatus.FAILED: "failed",
    CaseStatus.ERROR: "failed",
    CaseStatus.MISSING: "failed",
    CaseStatus.SKIPPED: "skipped",
}
_NAMES = uuid.UUID("6d0f3c57-2c0a-5b0e-9c56-0f6c1d1f7a11")


def render(report: RunReport) -> bytes:
    """The report as JSON."""
    statuses = Counter(_STATUS[case.status] for case in report.told_cases)
    start, stop = _times(report)
    document: dict[str, Any] = {
        "reportFormat": "CTRF",
        "specVersion": _SPEC_VERSION,
        "generatedBy": f"crosswind {__version__}",
        "results": {
            "tool": {"name": "crosswind", "version": __version__},
            "summary": {
                "tests": len(report.told_cases),
                **{name: statuses[name] for name in ("passed", "failed", "skipped", "pending", "other")},
                "flaky": sum(case.status is CaseStatus.FLAKY for case in report.told_cases),
                "start": start,
                "stop": stop,
                "extra": _verdict(report),
            },
            "tests": [_test(case) for case in report.told_cases],
        },
    }
    if report.generated_at:
        document["timestamp"] = report.generated_at
    if report.run:
        document["results"]["environment"] = _environment(report)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _verdict(report: RunReport) -> dict[str, Any]:
    extra: dict[str, Any] = {"causes": report.clusters.sentence, "omitted": report.omitted_cases}
    if report.verdict:
        extra |= {"verdict": report.verdict.kind.value, "reason": whole_text(report.verdict.reason)}
    return extra


def _environment(report: RunReport) -> dict[str, Any]:
    run = report.run
    if run is None:
        return {}
    known = {
        "reportName": report.title,
        "buildId": run.execution_id,
        "commit": run.commit,
        "branchName": run.branch,
    }
    return {name: value for name, value in known.items() if value}


def _test(case: CaseRow) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": str(uuid.uuid5(_NAMES, whole_text(case.id))),
        "name": whole_text(case.name) or "(no name)",
        "status": _STATUS[case.status],
        "duration": round(max(case.duration_seconds, 0) * 1000),
        "rawStatus": case.status.value,
        "retries": max(case.attempts - 1, 0),
    }
    suite = [whole_text(part) for part in (case.test, case.variant) if part]
    if suite:
        made["suite"] = suite
    if case.message:
        made["message"] = whole_text(case.message)
    if case.details:
        made["trace"] = whole_text(case.details)
    if case.status is CaseStatus.FLAKY:
        made["flaky"] = True
    if case.work_id:
        made["threadId"] = case.work_id
    if case.files:
        made["attachments"] = [
            {
                "name": whole_text(each.path.rsplit("/", 1)[-1]),
                "contentType": each.content_type,
                "path": whole_text(each.path),
            }
            for each in case.files
        ]
    extra = {"cluster": case.cluster, "muted": case.muted, "chaos": case.chaos}
    if any(extra.values()):
        made["extra"] = {name: whole_text(value) for name, value in extra.items() if value}
    return made


def _times(report: RunReport) -> tuple[int, int]:
    """Milliseconds since 1970; 0 where nobody told."""
    run = report.run
    start = _millis(run.started_at or run.created_at) if run else 0
    stop = _millis(run.finished_at or report.generated_at) if run else 0
    return start, max(start, stop)


def _millis(at: str | None) -> int:
    moment: datetime | None = from_iso(at) if at else None
    return round(moment.timestamp() * 1000) if moment else 0
