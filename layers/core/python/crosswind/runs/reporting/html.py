"""The report as one HTML page that needs nothing else: no script, no network, everything escaped, below a megabyte.

Every text that a test chose is taken from a budget, so that no run makes the page larger: failures first.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.clock import from_iso
from crosswind.kernel.pages import template
from crosswind.runs.reporting.budget import Budget
from crosswind.runs.reporting.diffs import Diff, read_diff
from crosswind.runs.reporting.model import CaseRow, ClusterRow, FileRow, PastOutcome, RunReport
from crosswind.runs.reporting.timeline import draw, plot

_FAILURES = 200
_FAILURE_BYTES = 150_000
_DETAILS_BYTES = 260_000
_LOG_BYTES = 60_000
_PICTURE_BYTES = 180_000
_TABLE_BYTES = 110_000
_REST_BYTES = 60_000
_ROWS = 1_500
_ROW_BYTES = 60  # of the tags around a row
_CARD_BYTES = 900
_PAST = 10
_CAUSES = 30
_LOGS = 20
_PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif")
_OUTCOMES = {"p": "passed", "f": "failed", "e": "error", "l": "flaky", "s": "skipped", "m": "missing"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A screenshot inside the page."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class Card:
    """One failure as it is shown."""

    name: str
    place: str
    status: str
    seconds: float
    message: str
    details: str
    diff: Diff | None
    muted: str
    cluster: str
    log: str  # the shard whose log's end is below; empty where there is none
    history: tuple[PastOutcome, ...]
    pictures: tuple[Picture, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """The end of a shard's log."""

    work_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list of all tests."""

    name: str
    place: str
    status: str
    seconds: float


def render(report: RunReport) -> bytes:
    """The page as UTF-8."""
    rest = Budget(_REST_BYTES)
    logs = tuple(_logs(report))
    cards = tuple(_cards(report, frozenset(log.work_id for log in logs)))
    rows = tuple(_rows(report))
    page = template("crosswind.runs.reporting", "report.html.j2").render(
        report=report,
        run=report.run,
        cards=cards,
        hidden=len(report.failures) - len(cards),
        clusters=tuple(_cause(each, rest) for each in report.clusters.clusters[:_CAUSES]),
        timeline=draw(report.shards),
        logs=logs,
        rows=rows,
        hidden_rows=report.counts.total - len(rows),
        slowest=[(rest.take(each.name, most=300), each) for each in report.slowest],
        flaky=[(rest.take(each.name, most=300), each) for each in report.flaky[:30]],
        load=[(load, tuple(filter(None, map(plot, load.series[:6])))) for load in report.load[:10]],
        reason=rest.take(report.verdict.reason, most=3_000) if report.verdict else "",
        notes=[rest.take(note, most=600) for note in report.notes[:30]],
        stages=[stage for stage in report.stages[:50] if stage.chaos],
        clock=_clock,
        lasted=_lasted(report),
        outcomes=_OUTCOMES,
        red=tuple(status.value for status in (CaseStatus.FAILED, CaseStatus.ERROR, CaseStatus.MISSING)),
    )
    return page.encode("utf-8", errors="replace")


def _cause(cluster: ClusterRow, room: Budget) -> ClusterRow:
    """It with texts that fit."""
    return cluster.model_copy(
        update={
            "message": room.take(cluster.message, most=600),
            "frames": tuple(room.take(frame, most=200) for frame in cluster.frames),
            "tests": tuple(room.take(name, most=200) for name in cluster.tests[:3]),
        }
    )


def _cards(report: RunReport, logged: frozenset[str]) -> Iterator[Card]:
    heads, details, pictures = Budget(_FAILURE_BYTES), Budget(_DETAILS_BYTES), Budget(_PICTURE_BYTES)
    for case in report.failures[:_FAILURES]:
        if not heads.has(_CARD_BYTES):
            return
        diff = read_diff(case.message, case.details)
        yield Card(
            name=heads.take(case.name, most=400),
            place=heads.take(_place(case), most=200),
            status=case.status.value,
            seconds=case.duration_seconds,
            message=heads.take(case.message, most=1_000),
            details=details.take(case.details, most=6_000),
            diff=Diff(details.take(diff.expected, most=1_000), details.take(diff.actual, most=1_000))
            if diff
            else None,
            muted=heads.take(case.muted, most=300),
            cluster=case.cluster or "",
            log=case.work_id if case.work_id in logged else "",
            history=case.history[:_PAST],
            pictures=tuple(_pictures(case.files, pictures)),
            files=tuple(heads.take(file.path, most=200) for file in case.files[:10]),
        )


def _place(case: CaseRow) -> str:
    return " · ".join(part for part in (case.test, case.variant, case.work_id) if part)


def _pictures(files: tuple[FileRow, ...], room: Budget) -> Iterator[Picture]:
    for file in files:
        if not file.data or file.content_type not in _PICTURES or not room.has(len(file.data)):
            continue
        try:
            base64.b64decode(file.data, validate=True)
        except (binascii.Error, ValueError):
            continue
        yield Picture(file.path.rsplit("/", 1)[-1], f"data:{file.content_type};base64,{file.data}")


def _logs(report: RunReport) -> Iterator[Log]:
    room = Budget(_LOG_BYTES)
    for shard in [each for each in report.shards if each.log_tail][:_LOGS]:
        text = room.take(shard.log_tail, most=4_000, tail=True)
        if text:
            yield Log(shard.work_id, text)


def _rows(report: RunReport) -> Iterator[Row]:
    room = Budget(_TABLE_BYTES)
    for case in report.cases[:_ROWS]:
        if not room.has(_ROW_BYTES):
            return
        name = room.take(case.name, most=300)
        if not name:
            return
        yield Row(name, room.take(_place(case), most=120), case.status.value, case.duration_seconds)


def _clock(at: str | None) -> str:
    """The time of day of a moment; the page tells the day once."""
    return from_iso(at).strftime("%H:%M:%S") if at else "-"


def _lasted(report: RunReport) -> str:
    run = report.run
    if run is None or not run.started_at or not run.finished_at:
        return ""
    seconds = max(0.0, (from_iso(run.finished_at) - from_iso(run.started_at)).total_seconds())
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
