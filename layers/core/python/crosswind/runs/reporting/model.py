"""What a run report holds, whatever form it is written in. It can be made of test cases alone, without a run."""

from typing import Literal

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.requests import (
    CaseCounts,
    ReportFormat,
    RoundView,
    StageChaosView,
    VerdictKind,
    VerdictView,
)
from crosswind.contracts.statuses import CaseStatus

_NOT_RED = frozenset({VerdictKind.PASSED, VerdictKind.SKIPPED})
RED = frozenset({CaseStatus.FAILED, CaseStatus.ERROR, CaseStatus.MISSING})


Format = ReportFormat

CONTENT_TYPES = {
    Format.HTML: "text/html; charset=utf-8",
    Format.JUNIT: "application/xml",
    Format.CTRF: "application/json",
    Format.JSON: "application/json",
    Format.MARKDOWN: "text/markdown; charset=utf-8",
}
FILE_NAMES = {
    Format.HTML: "report.html",
    Format.JUNIT: "junit.xml",
    Format.CTRF: "ctrf-report.json",
    Format.JSON: "report.json",
    Format.MARKDOWN: "report.md",
}


class RunFacts(WireModel):
    """Which run it was."""

    execution_id: str
    team: str
    suite: str
    priority: str
    actor: str
    state: str
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    commit: str | None = None
    branch: str | None = None
    trigger: str | None = None
    round: int = 1
    parameters: dict[str, str] = Field(default={})
    labels: dict[str, str] = Field(default={})


class StageRow(WireModel):
    """One stage, and the experiments beside it."""

    name: str
    shards: int = 0
    chaos: tuple[StageChaosView, ...] = ()


class ShardRow(WireModel):
    """One shard: when it began to wait, ran, and ended."""

    work_id: str
    test: str
    stage: int = 0
    attempt: int = 1
    outcome: str
    reason: str | None = None
    enqueued_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    tests: int = 0
    failed: int = 0
    log_tail: str | None = Field(
        default=None, description="The end of its log; only of shards with failures."
    )


class FileRow(WireModel):
    """A file that a test or its shard left."""

    path: str
    work_id: str
    content_type: str = "application/octet-stream"
    size: int = 0
    data: str | None = Field(default=None, description="Base64, of a small screenshot.")


class PastOutcome(WireModel):
    """What the test came to in an earlier run."""

    outcome: str = Field(description="A letter: p, f, e, l, s or m.")
    execution_id: str
    at: str


class CaseRow(WireModel):
    """One test case."""

    id: str
    test: str = ""
    variant: str = ""
    name: str
    status: CaseStatus
    duration_seconds: float = 0.0
    attempts: int = 1
    work_id: str = ""
    message: str | None = None
    details: str | None = None
    muted: str | None = None
    chaos: str | None = None
    cluster: str | None = None
    files: tuple[FileRow, ...] = ()
    history: tuple[PastOutcome, ...] = Field(default=(), description="The newest first.")

    @property
    def red(self) -> bool:
        """Whether it tells of a failure."""
        return self.status in RED


class ClusterRow(WireModel):
    """Failures with one cause, as far as their messages and stacks tell."""

    key: str
    exception: str | None = None
    message: str
    frames: tuple[str, ...] = ()
    count: int
    tests: tuple[str, ...] = Field(description="Names of the first of them.")
    new: bool | None = Field(
        default=None,
        description="No failure of the runs before looked like this. None: nothing is known of earlier runs.",
    )


class ClusterSummary(WireModel):
    """All failures by cause."""

    failures: int = 0
    clusters: tuple[ClusterRow, ...] = ()
    compared_with: tuple[str, ...] = Field(
        default=(), description="The runs before in whose failures each cause was looked for."
    )

    @property
    def sentence(self) -> str:
        """Such as `412 failures, 3 causes, 1 new`."""
        causes = len(self.clusters)
        parts = [_counted(self.failures, "failure"), _counted(causes, "cause")]
        if self.compared_with:
            parts.append(f"{sum(each.new is True for each in self.clusters)} new")
        return ", ".join(parts)


class TimedCase(WireModel):
    """A test among the slowest."""

    name: str
    test: str = ""
    duration_seconds: float


class FlakyCase(WireModel):
    """A test that failed and then passed in this run, or is known to be flaky."""

    name: str
    test: str = ""
    attempts: int = 1
    status: CaseStatus
    reason: str | None = None


class LoadMetric(WireModel):
    """One canonical metric of a load test, merged over its workers, with its threshold where there is one."""

    name: str
    value: float
    unit: str = ""
    threshold: str | None = None
    held: bool | None = None
    baseline: float | None = None


class LoadPoint(WireModel):
    """A value at so many seconds after the start."""

    seconds: float
    value: float


class LoadSeries(WireModel):
    """A metric over time."""

    name: str
    unit: str = ""
    points: tuple[LoadPoint, ...] = ()


class LoadReport(WireModel):
    """What a load test measured."""

    test: str
    metrics: tuple[LoadMetric, ...] = ()
    series: tuple[LoadSeries, ...] = ()


class RunReport(WireModel):
    """Everything that a report tells. `omitted_cases` are counted in `counts` and missing in `cases`."""

    report_schema: Literal["crosswind.run-report.v1"] = "crosswind.run-report.v1"
    title: str
    generated_at: str | None = None
    complete: bool = True
    run: RunFacts | None = None
    verdict: VerdictView | None = None
    counts: CaseCounts
    rounds: tuple[RoundView, ...] = ()
    stages: tuple[StageRow, ...] = ()
    shards: tuple[ShardRow, ...] = ()
    cases: tuple[CaseRow, ...] = ()
    omitted_cases: int = 0
    clusters: ClusterSummary = ClusterSummary()
    flaky: tuple[FlakyCase, ...] = ()
    slowest: tuple[TimedCase, ...] = ()
    load: tuple[LoadReport, ...] = ()
    notes: tuple[str, ...] = Field(default=(), description="What the report could not tell, as sentences.")

    @property
    def failures(self) -> tuple[CaseRow, ...]:
        """The cases that tell of a failure."""
        return tuple(case for case in self.cases if case.red)

    @property
    def told_cases(self) -> tuple[CaseRow, ...]:
        """The cases for a form that knows nothing else: where all of them are green and the run is not, it is a case too."""
        verdict = self.verdict
        if verdict is None and self.complete:
            return self.cases
        if (verdict and verdict.kind in _NOT_RED) or any(case.red and not case.muted for case in self.cases):
            return self.cases
        own = CaseRow(
            id="verdict",
            test="crosswind",
            name=f"verdict: {verdict.kind.value if verdict else 'none yet'}",
            status=CaseStatus.ERROR,
            message=verdict.reason if verdict else "the run is still going on",
        )
        return (own, *self.cases)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
