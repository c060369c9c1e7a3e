"""Reports to write in every form."""

import base64
from collections.abc import Sequence
from typing import Any

from crosswind.contracts.requests import CaseView, VerdictKind, VerdictView
from crosswind.contracts.statuses import CaseStatus
from crosswind.runs.reporting.assembling import assemble
from crosswind.runs.reporting.model import (
    CaseRow,
    FileRow,
    LoadMetric,
    LoadPoint,
    LoadReport,
    LoadSeries,
    PastOutcome,
    RunFacts,
    RunReport,
    ShardRow,
    StageRow,
)

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\x00" * 60).decode()
FACTS = RunFacts(
    execution_id="run-0001",
    team="demo",
    suite="shop",
    priority="P1",
    actor="ada",
    state="finished",
    created_at="2026-11-23T07:00:00.000Z",
    started_at="2026-11-23T07:00:02.000Z",
    finished_at="2026-11-23T07:01:40.000Z",
    commit="0123456789abcdef",
    branch="main",
)


def case(number: int, status: CaseStatus = CaseStatus.PASSED, **fields: Any) -> CaseRow:
    given = {
        "id": f"id-{number}",
        "test": "api",
        "name": f"tests/test_api.py::test_{number}",
        "status": status,
        "duration_seconds": 0.25 * (number % 7),
        "work_id": f"shard-{number % 4:05d}",
        **fields,
    }
    return CaseRow(**given)


def view(number: int, status: CaseStatus, **fields: Any) -> CaseView:
    return CaseView(**case(number, status, **fields).model_dump(exclude={"cluster", "files", "history"}))


def shards(number: int = 4) -> tuple[ShardRow, ...]:
    return tuple(
        ShardRow(
            work_id=f"shard-{place:05d}",
            test="api",
            outcome="completed",
            enqueued_at="2026-11-23T07:00:02.000Z",
            started_at=f"2026-11-23T07:00:{3 + place % 20:02d}.000Z",
            finished_at=f"2026-11-23T07:01:{place % 40:02d}.000Z",
            tests=10,
            failed=place % 3,
            log_tail=f"line of shard {place}\nlast line" if place % 3 else None,
        )
        for place in range(number)
    )


def report(cases: Sequence[CaseRow], **parts: Any) -> RunReport:
    """A whole report of a run."""
    given: dict[str, Any] = {
        "title": "demo/shop",
        "verdict": VerdictView(kind=VerdictKind.FAILED, reason="2 of 6 tests failed"),
        "run": FACTS,
        "shards": shards(),
        "stages": (StageRow(name="api", shards=4),),
        "generated_at": "2026-11-23T07:02:00.000Z",
        **parts,
    }
    return assemble(cases, **given)


def every_kind(text: str = "it broke") -> RunReport:
    """Each status once, with everything that a case and a report may have, and one text everywhere."""
    cases = [
        case(
            number,
            status,
            name=f"{text} {status.value}",
            message=text,
            details=f"{text}\nExpected: 1{text}\nReceived: 2{text}",
            test=text[:60],
            variant=text[:60],
            muted=text if status is CaseStatus.ERROR else None,
            attempts=2,
            files=(
                FileRow(path=text, work_id="shard-00001", content_type="image/png", size=68, data=PIXEL),
                FileRow(path=f"b/{text}", work_id="shard-00001", content_type="image/svg+xml", data=PIXEL),
            ),
            history=(PastOutcome(outcome="f", execution_id="run-0", at="2026-11-22T07:00:00.000Z"),),
        )
        for number, status in enumerate(CaseStatus)
    ]
    load = LoadReport(
        test=text,
        metrics=(LoadMetric(name=text, value=1.5, unit="ms", threshold=text, held=False, baseline=1.0),),
        series=(
            LoadSeries(
                name=text, unit="ms", points=tuple(LoadPoint(seconds=n, value=n % 5) for n in range(20))
            ),
        ),
    )
    return report(
        cases,
        title=text or "x",
        verdict=VerdictView(kind=VerdictKind.FAILED, reason=text),
        notes=(text,),
        load=(load,),
        run=FACTS.model_copy(update={"actor": text, "branch": text}),
        stages=(StageRow(name=text),),
        shards=tuple(each.model_copy(update={"log_tail": text, "test": text}) for each in shards(2)),
    )
