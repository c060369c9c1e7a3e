"""Requests and answers of the HTTP API."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from crosswind.contracts.actors import Actor
from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.lifecycle import ExperimentVerdict
from crosswind.contracts.chaos.lifecycle import RunState as ExperimentState
from crosswind.contracts.live import Stream
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import MAX_SPEC_BYTES, Name, Priority, Scalar, Team
from crosswind.contracts.work import FileClass


class RunState(StrEnum):
    """Where a run is. Only `finished` is final, and only then there is a verdict."""

    ACCEPTED = "accepted"
    PREPARING = "preparing"
    EXECUTING = "executing"
    JUDGING = "judging"
    FINISHED = "finished"


class VerdictKind(StrEnum):
    """What a run is worth."""

    PASSED = "passed"
    FAILED = "failed"  # tests failed, or a gate did
    ERROR = "error"  # infrastructure: Crosswind could not do its part
    SKIPPED = "skipped"  # everything that was found was skipped
    CANCELLED = "cancelled"
    INCONCLUSIVE = "inconclusive"  # records are missing, doubled or unreadable


class Revision(WireModel):
    """Which code is tested, as far as the caller knows. It tells a new failure from a known one, and chance from change."""

    commit: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{7,64}$", description="Of a clean working copy."
    )
    branch: str | None = Field(default=None, min_length=1, max_length=255)
    default_branch: str | None = Field(
        default=None, min_length=1, max_length=255, description="main or master unless told."
    )


class SubmitRunRequest(WireModel):
    """POST /api/v1/tests: a suite, given whole or by name."""

    spec: dict[str, Any] | None = Field(default=None, description="A TestSuite.")
    text: str | None = Field(
        default=None,
        max_length=MAX_SPEC_BYTES,
        description="A TestSuite as YAML or JSON text; errors then name lines.",
    )
    suite: Name | None = Field(default=None, description="The name of a stored suite; needs `team`.")
    team: Team | None = None
    parameters: dict[str, Scalar] = Field(default={}, max_length=50)
    priority: Priority | None = Field(default=None, description="Instead of the suite's own.")
    revision: Revision | None = Field(
        default=None, description="Which code is tested; what the suite's Git ref says unless told."
    )


class RunAccepted(WireModel):
    """202: the run exists; follow it at GET /api/v1/tests/{executionId}."""

    execution_id: str
    state: RunState
    repeated: bool = Field(
        default=False, description="The Idempotency-Key was seen before: this is that run."
    )


class RerunRequest(WireModel):
    """POST /api/v1/tests/{id}/reruns: run the failed tests of a finished run again, in the same run."""

    failed: Literal[True] = Field(default=True, description="Failed tests and those without a result.")
    round: int | None = Field(
        default=None,
        ge=1,
        description="The round that is to be followed by a rerun. With it the request may be repeated safely.",
    )


class RerunAccepted(WireModel):
    """202: the run goes on in a further round; follow it at GET /api/v1/tests/{executionId}."""

    execution_id: str
    state: RunState
    round: int
    tests: int = Field(description="Tests that run again; those of whole shards are not counted.")
    shards: int
    whole_shards: int = Field(
        default=0, description="Shards that run again as a whole: their framework cannot tell its tests."
    )
    repeated: bool = Field(
        default=False, description="The rerun of this round was asked for before: this is it."
    )


class VerdictView(WireModel):
    """The verdict and why."""

    kind: VerdictKind
    reason: str


class CaseCounts(WireModel):
    """Test cases by status."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    error: int = 0
    skipped: int = 0
    flaky: int = 0
    missing: int = 0
    muted: int = Field(default=0, description="Of the failed ones, those in quarantine: they do not gate.")


class ShardCounts(WireModel):
    """Shards by state."""

    total: int = 0
    waiting: int = 0
    running: int = 0
    done: int = 0


class ShardView(WireModel):
    """One piece of leased work of a run."""

    work_id: str
    test: str
    stage: int
    state: str
    attempt: int
    runner: str | None = None
    tests_done: int = 0
    tests_failed: int = 0
    outcome: str | None = None
    reason: str | None = None
    chaos: str | None = Field(
        default=None, description="The run of an experiment whose faults were in while it ran."
    )


class RoundView(WireModel):
    """An earlier round of a run: what it came to before its failed tests were run again."""

    round: int
    verdict: VerdictView
    tests: CaseCounts
    started_at: str
    finished_at: str


class StageChaosView(WireModel):
    """The experiment beside a stage: its verdict and the run's are apart."""

    stage: str
    round: int = 1
    experiment: str
    required: bool = True
    experiment_run: str | None = Field(
        default=None, description="At GET /api/v1/experiments/{experiment}/runs/{experimentRun}."
    )
    state: ExperimentState | None = None
    verdict: ExperimentVerdict | None = None
    reason: str | None = Field(
        default=None, description="Of the verdict; before it, why it waits; without a run, why there is none."
    )
    injected_at: str | None = Field(default=None, description="When the first fault was in.")
    removed_at: str | None = Field(default=None, description="When the last one was proven gone.")


class RunView(WireModel):
    """GET /api/v1/tests/{id}."""

    execution_id: str
    team: str
    suite: str
    priority: Priority
    state: RunState
    stage: str | None = None
    actor: str
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    parameters: dict[str, Scalar] = Field(default={})
    labels: dict[str, str] = Field(default={})
    cancel_requested: bool = False
    paused_at: str | None = Field(
        default=None, description="Since then nothing more of it is admitted; its timeout goes on."
    )
    paused_by: str | None = None
    tests: CaseCounts
    shards: ShardCounts
    work: tuple[ShardView, ...] | None = Field(
        default=None, description="With ?detail=true: the shards, at most 1000."
    )
    verdict: VerdictView | None = None
    round: int = Field(default=1, description="1, and one more for each rerun of failed tests.")
    rounds: tuple[RoundView, ...] = Field(default=(), description="What the rounds before came to.")
    trigger: str | None = Field(default=None, description="The schedule or trigger that submitted it.")
    chaos: tuple[StageChaosView, ...] = Field(default=(), description="Experiments beside its stages.")


class RunSummary(WireModel):
    """One row of GET /api/v1/tests."""

    execution_id: str
    team: str
    suite: str
    priority: Priority
    state: RunState
    actor: str
    created_at: str
    finished_at: str | None = None
    verdict: VerdictKind | None = None


class RunPage(WireModel):
    """A page of runs, newest first."""

    items: tuple[RunSummary, ...]
    next_cursor: str | None = None


class CaseArtifact(WireModel):
    """An artifact that a test has made; the list of artifacts has its link."""

    path: str
    work_id: str
    file_class: FileClass = FileClass.OTHER


class CaseView(WireModel):
    """One test case of a run, folded over shards and attempts."""

    id: str = Field(description="Stable identity: the same test has the same id in every run.")
    test: str
    variant: str = ""
    name: str
    status: CaseStatus
    duration_seconds: float = 0.0
    attempts: int = 1
    work_id: str
    message: str | None = None
    details: str | None = Field(default=None, description="Stack trace or output, cut at 16 KiB.")
    muted: str | None = Field(default=None, description="Why its failure does not gate: its quarantine.")
    chaos: str | None = Field(
        default=None, description="The run of an experiment whose faults were in while its shard ran."
    )
    artifacts: tuple[CaseArtifact, ...] = Field(
        default=(), max_length=100, description="Files that the test has made, at most 100."
    )


class CasePage(WireModel):
    """A page of cases: failed first. `complete` is false while the run is going on."""

    items: tuple[CaseView, ...]
    complete: bool
    next_cursor: str | None = None


class ArtifactKind(StrEnum):
    """Why a file was kept."""

    ARTIFACT = "artifact"  # the suite's `artifacts` name it
    REPORT = "report"  # results were read from it


class ArtifactCase(WireModel):
    """The test that has made a file, with its status in the file's shard."""

    id: str
    name: str
    status: CaseStatus


class ArtifactLinks(WireModel):
    """Which tests of a shard have made which of its files."""

    files: dict[str, tuple[ArtifactCase, ...]] = Field(description="By path.")


class ArtifactView(WireModel):
    """An uploaded file with a link that lasts `expires_in_seconds`."""

    path: str = Field(
        description="Relative to the working directory; a report's starts with `reports/` and the number of the command's run."
    )
    kind: ArtifactKind = ArtifactKind.ARTIFACT
    file_class: FileClass = FileClass.OTHER
    work_id: str
    size: int
    stored_size: int | None = Field(
        default=None, description="What the bucket holds, where the file is packed."
    )
    content_type: str
    inline: bool = Field(default=True, description="The link shows the file; otherwise it is saved.")
    cases: tuple[ArtifactCase, ...] = Field(default=(), description="The tests that have made it.")
    url: str
    expires_in_seconds: int


class ArtifactPage(WireModel):
    """A page of artifacts."""

    items: tuple[ArtifactView, ...]
    dropped: tuple[str, ...] = Field(
        default=(), description="Files of these shards that were not kept, each with the reason."
    )
    next_cursor: str | None = None


class ReportFormat(StrEnum):
    """The forms of a run's report."""

    HTML = "html"  # one page that loads nothing
    JUNIT = "junit"
    CTRF = "ctrf"
    JSON = "json"
    MARKDOWN = "markdown"  # for a comment on a pull request


class RunReportLink(WireModel):
    """GET /api/v1/tests/{id}/report: the report was written just now; the link lasts `expires_in_seconds`."""

    execution_id: str
    format: ReportFormat
    complete: bool = Field(
        description="False while the run is going on: the report tells what there is so far."
    )
    file_name: str
    content_type: str
    size: int
    url: str
    expires_in_seconds: int


class LogChunk(WireModel):
    """A piece of one shard's log or events. Ask again from `nextOffset`; `complete` says that nothing more will come."""

    work_id: str
    attempt: str
    stream: Stream = Stream.LOG
    offset: int
    next_offset: int
    complete: bool
    text: str


class PutSuiteAnswer(WireModel):
    """PUT /api/v1/suites/{name}."""

    name: str
    team: str
    digest: str
    created: bool


class StoredSuite(WireModel):
    """GET /api/v1/suites/{name}."""

    name: str
    team: str
    digest: str
    updated_at: str
    updated_by: str
    spec: dict[str, Any]


class SuiteSummary(WireModel):
    """One row of GET /api/v1/suites."""

    name: str
    team: str
    digest: str
    updated_at: str
    updated_by: str


class SuitePage(WireModel):
    """A page of stored suites."""

    items: tuple[SuiteSummary, ...]
    next_cursor: str | None = None


class CreateSourceRequest(WireModel):
    """POST /api/v1/sources: announce an archive; upload it only if it is not there."""

    team: Team
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    size: int = Field(gt=0, le=2 * 1024**3)


class CreateSourceAnswer(WireModel):
    """Where to PUT the archive, or that it is there already."""

    digest: str
    exists: bool
    upload_url: str | None = None
    upload_headers: dict[str, str] = Field(default={})


class WhoAmI(WireModel):
    """GET /api/v1/whoami."""

    actor: Actor
    stage: str
    version: str


class ValidateAnswer(WireModel):
    """POST /api/v1/suites:validate found nothing wrong."""

    valid: bool
    tests: int = Field(description="Test jobs after the matrix is expanded.")
