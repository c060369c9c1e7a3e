"""Frozen values of the runs area."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from crosswind.contracts.chaos.lifecycle import ExperimentVerdict
from crosswind.contracts.chaos.lifecycle import RunState as ExperimentState
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.statuses import CaseStatus
from crosswind.contracts.suites import Priority, Scalar
from crosswind.contracts.work import (
    DEFAULT_CPU_MILLIS,
    DEFAULT_MEMORY_MIB,
    FileClass,
    OrderRef,
    WorkKind,
    WorkOutcome,
)

LEASE_DURATION = timedelta(seconds=30)
HEARTBEAT_INTERVAL = timedelta(seconds=10)
WATCH_INTERVAL = timedelta(seconds=15)
REDISPATCH_AFTER = timedelta(
    seconds=90
)  # an admitted shard that nobody claimed: its message is taken for lost
REANSWER_AFTER = timedelta(
    seconds=20
)  # a finished shard whose answer nobody consumed: its token is answered again
MAX_RECOVERIES = 5


class WorkState(StrEnum):
    """States of a piece of leased work (ADR 0002). `done` is final."""

    WAITING = "waiting"  # in the queue
    ADMITTED = "admitted"  # holds a slot; its message is on the way to a runner
    LEASED = "leased"  # a runner has it
    DONE = "done"  # committed: by a runner, a cancel, or the reconciler that gave it up


@dataclass(frozen=True, slots=True, order=True)
class WorkKey:
    """Identity of a piece of work."""

    run_id: str
    work_id: str


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has the work, and until when without a further heartbeat."""

    runner_id: str
    started_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """What a runner tells with a heartbeat; for people, never for the verdict."""

    tests_done: int = 0
    tests_failed: int = 0
    log_bytes: int = 0


@dataclass(frozen=True, slots=True)
class InfrastructureFailure:
    """Why an attempt was lost. `reason` is an InfrastructureReason, or a code that a newer edition knows."""

    attempt: int
    reason: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """The one terminal record of a piece of work. `prefix` is where the winning attempt uploaded."""

    outcome: WorkOutcome
    attempt: int
    epoch: int
    at: datetime
    reason: str | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """What leased work told while it went on; its number is its place from 1 on."""

    name: str
    at: datetime
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """What IngestShard recorded of a committed shard."""

    tests: int
    passed: int
    failed: int
    errors: int
    skipped: int
    flaky: int
    cases_key: str | None
    faults: tuple[str, ...] = ()  # unreadable or missing reports and the like, as sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A piece of leased work: one preparation or one shard. Changed only through crosswind.runs.protocol."""

    key: WorkKey
    kind: WorkKind
    team: str
    suite: str
    test: str
    priority: Priority
    stage: int
    concurrency: int
    infrastructure_retries: int
    queue_seconds: int
    estimate_seconds: float
    order: OrderRef
    state: WorkState
    version: int  # of the stored item: optimistic writes compare it
    epoch: int  # grows with every claim; a holder acts only under its own
    attempt: int  # 1-based; grows when infrastructure failed, not when a runner hands back
    token: str | None
    enqueued_at: datetime
    token_at: datetime | None = None  # when the token was sent: of two tokens the later one is current
    not_before: datetime | None = None  # backoff after an infrastructure failure
    admitted_at: datetime | None = None
    redispatched_at: datetime | None = None  # since then its message was sent again
    lease: Lease | None = None
    progress: Progress = Progress()
    beats: int = 0  # of the present lease; a beat changes this and no version
    failures: tuple[InfrastructureFailure, ...] = ()
    commit: Commit | None = None
    summary: ShardSummary | None = None  # set once by ingestion (shards) or planning (preparations)
    suite_concurrency: int | None = None
    cpu_millis: int = DEFAULT_CPU_MILLIS
    memory_mib: int = DEFAULT_MEMORY_MIB
    anti_affinity: str | None = None
    round: int = 1
    pull_id: str | None = None  # the work list that its runner pulls from
    group: str | None = None  # the load job whose workers begin together
    group_size: int = 1
    cluster: str | None = None  # whose pods carry it; None: the pool of runners
    interruptible: bool = False  # its pod may be reclaimed
    borrowed: bool = False  # admitted beyond its team's quota: may be preempted
    preemptions: int = 0
    decision: str | None = None  # why it was admitted when it was, as a sentence
    announcements: tuple[Announced, ...] = ()
    awaits: int | None = None  # the number of the announcement that the token waits for; None: the end


@dataclass(frozen=True, slots=True)
class WorkTally:
    """What of a piece of work is counted for those who watch."""

    kind: WorkKind
    state: WorkState
    leased: bool = False
    progress: Progress = Progress()
    summary: ShardSummary | None = None


def tally_of(work: Work) -> WorkTally:
    """What is counted of a whole piece of work."""
    return WorkTally(
        kind=work.kind,
        state=work.state,
        leased=work.lease is not None,
        progress=work.progress,
        summary=work.summary,
    )


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a run's record keeps of its plan; the plan itself is in S3."""

    tests: int | None  # discovered test ids; None where a framework cannot tell
    shards: int
    stages: int
    method: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of a run, with a sentence that a person can act on."""

    kind: VerdictKind
    reason: str


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A state of the run gave up: infrastructure, or a preparation whose setup failed."""

    state: str
    kind: str  # infrastructure | setup | timeout
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """What an earlier round of a run came to, before its failed tests were run again."""

    round: int
    verdict: Verdict
    case_counts: dict[str, int]  # by CaseStatus, as they were folded then
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """An experiment beside one stage in one round. Its rules are crosswind.runs.beside; the chaos area tells the rest."""

    stage: int
    experiment: str
    round: int = 1
    after_seconds: int = 0
    required: bool = True
    parameters: dict[str, Scalar] = field(default_factory=dict)
    began_at: datetime | None = None  # a shard of the stage had a runner
    ended_at: datetime | None = None  # all of them were answered
    experiment_run: str | None = None
    state: ExperimentState | None = None
    verdict: ExperimentVerdict | None = None
    reason: str | None = None  # of the verdict; before it, why it waits; without a run, why there is none
    refused: bool = False  # it could not be started, and will not be
    injected_at: datetime | None = None  # the first fault was in
    removed_at: datetime | None = None  # the last one was proven gone


class RunPurpose(StrEnum):
    """What a run's record stands for."""

    RUN = "run"
    PLAN = "plan"  # prepares and plans, runs nothing; not listed among runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run's record."""

    run_id: str
    team: str
    suite: str
    priority: Priority
    actor: str
    issuer: str
    spec_key: str  # the resolved suite in the artifacts bucket
    spec_digest: str
    timeout_seconds: int
    state: RunState
    version: int
    created_at: datetime
    parameters: dict[str, Scalar] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    stage_names: tuple[str, ...] = ()
    current_stage: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    execution: str | None = None  # name of the latest execution
    recoveries: int = 0
    watched_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    cancelled_by: str | None = None
    plan: PlanSummary | None = None
    failure: RunFailure | None = None
    verdict: Verdict | None = None
    case_counts: dict[str, int] = field(default_factory=dict)  # by CaseStatus, after folding
    purpose: RunPurpose = RunPurpose.RUN
    round: int = 1  # grows with every rerun of failed tests
    rounds: tuple[RoundRecord, ...] = ()  # the rounds before the present one
    round_plans: tuple[str, ...] = ()  # keys of the plans of the second round and of those after it
    reopened_at: datetime | None = None  # when the present round began; None in the first
    rerun_by: str | None = None  # who asked for the present round
    muted: int = 0  # of the failed cases, those in quarantine: reported, and no reason to fail
    failed_fast: dict[str, str] = field(
        default_factory=dict
    )  # runs.failing_fast: what was ended, and by which shard
    paused_at: datetime | None = None
    paused_by: str | None = None
    commit: str | None = None  # of the source, where it is Git and known
    branch: str | None = None
    default_branch: str | None = None  # what its repository calls it
    trigger: str | None = None  # the schedule or trigger that submitted it
    chain: tuple[str, ...] = ()  # suites whose runs led to this one by triggers, the oldest first
    beside: tuple[Beside, ...] = ()  # experiments beside its stages, of all rounds


@dataclass(frozen=True, slots=True)
class Case:
    """One record of a report: one test in one attempt of one shard, or folded over them."""

    id: str  # stable identity (runs.identity)
    test: str  # the suite's test job
    variant: str
    name: str  # as the framework calls it: a pytest node id, or suite / class / name
    status: CaseStatus
    duration_seconds: float
    work_id: str
    attempt: int = 1
    attempts: int = 1
    message: str | None = None
    details: str | None = None
    muted: str | None = None  # why its failure does not gate: the quarantine, as a sentence
    chaos: str | None = None  # the experiment's run whose faults were in while its shard ran
    artifacts: tuple["CaseFile", ...] = ()


@dataclass(frozen=True, slots=True)
class CaseFile:
    """An artifact that a test has made."""

    path: str
    work_id: str
    file_class: FileClass
