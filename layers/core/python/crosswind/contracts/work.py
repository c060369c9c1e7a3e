"""The shard protocol on the wire: tickets, orders, executor messages and answers (ADR 0002).

A *ticket* goes with a task token from the state machine into the admission queue. An *order* tells a runner what to
do; orders of a stage lie in one S3 object and a ticket points at a byte range of it. An *answer* goes back through
the task token and is small: everything large is referenced.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.frameworks import FrameworkSpec
from crosswind.contracts.load import LoadOrder
from crosswind.contracts.services import ServiceSpec
from crosswind.contracts.suites import Priority

WorkId = Annotated[str, Field(pattern=r"^(prepare|shard|monitor)-\d{5}$")]
RunId = Annotated[str, Field(pattern=r"^run-[0-9a-z]{26}$")]
OwnerId = Annotated[
    str,
    Field(
        pattern=r"^(run|exp)-[0-9a-z]{26}$", description="Whose work it is: a run, or a run of an experiment."
    ),
]


DEFAULT_CPU_MILLIS = 1000
DEFAULT_MEMORY_MIB = 2048
"""What a shard is counted with where its suite does not say."""


class WorkKind(StrEnum):
    """What kind of leased work it is. Event tests will be a further kind of the same protocol."""

    PREPARE = "prepare"
    SHARD = "shard"
    MONITOR = "monitor"  # watches a run of an experiment


class WorkOutcome(StrEnum):
    """How a piece of work ended, as the state machine sees it. Whether tests passed is not told here."""

    COMPLETED = "completed"  # the runner did what the order says; reports, if any, are uploaded
    ERROR = "error"  # infrastructure: given up after its budget
    CANCELLED = "cancelled"
    ANNOUNCED = "announced"  # it goes on; what its token waited for was announced


class FailFast(StrEnum):
    """What ends with the first failed test."""

    JOB = "job"  # the other shards of the test job, in all its variants
    STAGE = "stage"  # all other shards of the stage


class OrderRef(WireModel):
    """Where an order's bytes are: a range of one object in the artifacts bucket."""

    key: str
    offset: int = Field(ge=0)
    length: int = Field(gt=0)


class Ticket(WireModel):
    """One row of shards.jsonl, and the body of an admission message together with its token."""

    run_id: OwnerId
    work_id: WorkId
    kind: WorkKind
    team: str
    suite: str
    test: str
    priority: Priority
    stage: int = Field(ge=0, description="Index of the suite's stage; 0 for preparations.")
    concurrency: int = Field(gt=0, description="The most shards of this run that may be admitted at once.")
    infrastructure_retries: int = Field(ge=0, le=10)
    queue_seconds: int = Field(
        gt=0, description="The longest wait for admission before the work ends as an error."
    )
    estimate_seconds: float = Field(default=1.0, ge=0)
    suite_concurrency: int | None = Field(
        default=None,
        gt=0,
        description="The most shards of all runs of this suite that may be admitted at once.",
    )
    cpu_millis: int = Field(default=DEFAULT_CPU_MILLIS, gt=0, description="Thousandths of a vCPU.")
    memory_mib: int = Field(default=DEFAULT_MEMORY_MIB, gt=0)
    anti_affinity: str | None = Field(
        default=None, description="Work of the team with the same key is not admitted beside it."
    )
    round: int = Field(
        default=1, ge=1, description="1, and one more for each rerun of the run's failed tests."
    )
    pull_id: str | None = Field(default=None, description="The work list that the shard's runner pulls from.")
    awaits: int | None = Field(
        default=None,
        ge=1,
        description="The number of the announcement that the token waits for; None: the end of the work.",
    )
    group: str | None = Field(default=None, description="The load job whose workers begin together.")
    group_size: int = Field(default=1, ge=1, description="Its workers.")
    cluster: str | None = Field(
        default=None, description="The cluster whose pods carry the work; None: the pool of runners."
    )
    interruptible: bool = Field(default=False, description="Its pod may be reclaimed: Spot will do.")
    order: OrderRef


class AdmissionMessage(WireModel):
    """Body of a message in the admission queue: a ticket with its token, or just a wake-up of the scheduler."""

    ticket: Ticket | None = None
    token: str | None = None
    wake: bool = False


class DispatchMessage(WireModel):
    """Body of a message in the executor's queue. The work item holds the rest; a stale message claims nothing."""

    run_id: OwnerId
    work_id: WorkId
    attempt: int = Field(ge=1)
    cluster: str | None = Field(default=None, description="As the ticket says: it chooses the queue.")


class WatchMessage(WireModel):
    """Body of a message in the delayed watch queue: look after this run's leases, and come back."""

    run_id: RunId


class Announcement(WireModel):
    """What leased work tells while it goes on. They are numbered from 1 on."""

    number: int = Field(ge=1)
    name: str = Field(min_length=1, max_length=40)
    detail: str | None = Field(default=None, max_length=1000)
    at: str


class WorkAnswer(WireModel):
    """What a task token is answered with."""

    run_id: OwnerId
    work_id: WorkId
    outcome: WorkOutcome
    attempt: int
    epoch: int
    reason: str | None = Field(default=None, max_length=1000)
    announcement: Announcement | None = Field(default=None, description="With the outcome `announced`.")


class ArchiveRef(WireModel):
    """A prepared working directory: tar.gz in the sources bucket, named by its content."""

    key: str
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    size: int = Field(ge=0)


class GitSource(WireModel):
    """Fetch one commit of a Git repository."""

    kind: Literal["git"] = "git"
    uri: str
    ref: str
    paths: tuple[str, ...] = ()


class ArchiveSource(WireModel):
    """Use an uploaded archive."""

    kind: Literal["archive"] = "archive"
    archive: ArchiveRef


Source = Annotated[GitSource | ArchiveSource, Field(discriminator="kind")]


class PrepareOrder(WireModel):
    """Fetch the source, run its setup once, pack what is left, discover the tests."""

    kind: Literal["prepare"] = "prepare"
    team: str
    preparation: str = Field(
        description="The cache key: digest of team, source, setup, framework and command."
    )
    source: Source
    setup: tuple[str, ...] = Field(description="Shell commands, run in order in the working directory.")
    framework: str
    manifest: FrameworkSpec | None = Field(default=None, description="Of a framework that is not built in.")
    working_directory: str | None = Field(default=None, description="Relative to the source; None: its root.")
    command: str | None = None
    args: tuple[str, ...]
    env: dict[str, str]
    image: str | None = Field(
        default=None, description="Of the container that tests run in; None: the framework's."
    )
    timeout_seconds: int = Field(gt=0)


class PullRef(WireModel):
    """The work list of a test job. The list itself is an immutable object; who has what of it is in the table."""

    pull_id: str = Field(description="Unique in the run: stage, job and round.")
    key: str = Field(description="The PullList in the artifacts bucket.")


class PullUnit(WireModel):
    """What is leased together and never split: a file, a class or a single test."""

    test_ids: tuple[str, ...] = Field(min_length=1)
    estimate_seconds: float = Field(ge=0)


class PullList(WireModel):
    """All units of a test job, the longest estimate first. Batches are ranges of it."""

    pull_id: str
    runners: int = Field(ge=1, description="Shards that the plan has for this list.")
    stripes: int = Field(
        default=1,
        ge=1,
        description="The list is given out at so many heads: head s has the units s, s + stripes, and so on.",
    )
    units: tuple[PullUnit, ...]


class ShardOrder(WireModel):
    """Run some tests of a prepared archive and upload what they report."""

    kind: Literal["shard"] = "shard"
    team: str
    test: str
    variant: str
    archive: ArchiveRef
    framework: str
    manifest: FrameworkSpec | None = Field(default=None, description="Of a framework that is not built in.")
    working_directory: str | None = Field(default=None, description="Relative to the source; None: its root.")
    command: str | None = None
    args: tuple[str, ...]
    env: dict[str, str]
    image: str | None = Field(
        default=None, description="Of the container that tests run in; None: the framework's."
    )
    services: tuple[ServiceSpec, ...] = Field(default=(), description="Containers beside the tests.")
    secret_refs: dict[str, str] = Field(default={}, description="Environment name to secret name.")
    selection: tuple[str, ...] | None = Field(
        default=None, description="Planned test ids; None runs all that the command runs, or what is pulled."
    )
    pull: PullRef | None = Field(default=None, description="Lease batches from this list instead.")
    load: LoadOrder | None = Field(default=None, description="The shard is a worker of this load job.")
    fail_fast: FailFast | None = Field(default=None, description="What a failed test of this shard ends.")
    muted: tuple[str, ...] | None = Field(
        default=None, description="With `failFast`: tests in quarantine, whose failures end nothing."
    )
    shard_index: int = Field(ge=0)
    shard_count: int = Field(ge=1)
    test_retries: int = Field(ge=0)
    timeout_seconds: int = Field(gt=0)
    memory_mib: int | None = None
    reports: tuple[str, ...]
    artifacts: tuple[str, ...]


class MonitorOrder(WireModel):
    """Watch a run of an experiment by its plan, and announce what happens."""

    kind: Literal["monitor"] = "monitor"
    team: str
    experiment_run: str
    plan_key: str = Field(description="The MonitorPlan in the artifacts bucket.")
    timeout_seconds: int = Field(gt=0)


Order = Annotated[PrepareOrder | ShardOrder | MonitorOrder, Field(discriminator="kind")]


class Discovery(WireModel):
    """What a preparation found: the archive for the shards, and the planned test ids if the framework can tell."""

    preparation: str
    archive: ArchiveRef
    commit: str | None = Field(default=None, description="The Git commit, where the source is Git.")
    test_ids: tuple[str, ...] | None = Field(
        default=None, description="None: the framework cannot list its tests."
    )
    errors: tuple[str, ...] = Field(
        default=(), description="Setup or collection errors, for people; never retried."
    )
    durations: dict[str, float] = Field(default={}, description="Seconds per test id, where known.")


class FileClass(StrEnum):
    """What a file is to people. It is kept as long as its class says."""

    SCREENSHOT = "screenshot"
    VIDEO = "video"
    TRACE = "trace"  # a recording that a tool plays back, such as Playwright's trace.zip or a HAR file
    LOG = "log"
    REPORT = "report"
    OTHER = "other"


class FileRef(WireModel):
    """An uploaded file of a shard."""

    path: str = Field(description="Relative to the working directory, POSIX.")
    key: str
    size: int = Field(ge=0, description="Of the file as the test wrote it.")
    content_type: str = "application/octet-stream"
    digest: str | None = None
    file_class: FileClass = FileClass.OTHER
    encoding: Literal["gzip"] | None = Field(default=None, description="The object's Content-Encoding.")
    stored_size: int | None = Field(
        default=None, ge=0, description="Of the object, where it is not the file's own."
    )


class ResourceUse(WireModel):
    """What the tests of an attempt used, looked at about once a second."""

    source: Literal["cgroup", "processes"] = Field(
        description="The container's own accounts, or the process tree of the commands."
    )
    samples: int = Field(ge=1)
    seconds: float = Field(gt=0, description="Between the first look and the last.")
    cpu_seconds: float = Field(ge=0)
    cpu_mean_millis: int = Field(ge=0, description="Thousandths of a CPU.")
    cpu_p95_millis: int = Field(ge=0, description="95% of the samples were no higher.")
    cpu_max_millis: int = Field(ge=0)
    memory_p95_mib: int = Field(ge=0)
    memory_max_mib: int = Field(ge=0)
    throttled_seconds: float | None = Field(
        default=None, ge=0, description="Waited for CPU because of the limit; None: not known."
    )
    series: FileRef | None = Field(
        default=None, description="NDJSON, at most 600 points: seconds, cpuMillis, cpuMaxMillis, memoryMib."
    )


class ShardResult(WireModel):
    """`result.json` of one attempt: what the runner saw. It lies under the attempt's own prefix (attempt and epoch)."""

    exit_code: int | None = Field(
        default=None, description="None when the process was killed before it ended."
    )
    timed_out: bool = False
    out_of_memory: bool = False
    attempts: int = Field(
        default=1, ge=1, description="Runs of the command: 1 + test retries that were needed."
    )
    started_at: str
    finished_at: str
    reports: tuple[tuple[FileRef, ...], ...] = Field(
        description="Report files of each attempt, oldest first."
    )
    artifacts: tuple[FileRef, ...] = ()
    dropped: tuple[str, ...] = Field(
        default=(), description="Files that were not uploaded, each with the reason."
    )
    lost_reports: tuple[str, ...] = Field(
        default=(),
        description="Report files of any attempt that were not uploaded, each with the reason: evidence is missing.",
    )
    working_directory: str | None = Field(
        default=None, description="As the tests saw it: reports may name files by their whole path."
    )
    batches: tuple[str, ...] = Field(
        default=(),
        description="Batches that this attempt ran and committed, as `stripe-number`; each has a result of its own.",
    )
    load_key: str | None = Field(default=None, description="The LoadResult of a worker of a load job.")
    load_error: str | None = Field(
        default=None, max_length=1000, description="Why a worker of a load job has measured nothing."
    )
    log_bytes: int = 0
    use: ResourceUse | None = Field(default=None, description="None: nothing ran for long enough to be seen.")


class InlineReport(WireModel):
    """A report that is small enough to lie in the result: most of a batch's are, and an object of its own costs as much."""

    path: str
    text: str


class BatchResult(WireModel):
    """`result.json` of one leased batch, below the prefix of the attempt that ran it: what its tests left."""

    tests: tuple[str, ...] = Field(description="Planned ids of all that the batch was to run.")
    inline: tuple[InlineReport, ...] = Field(default=(), description="The small reports.")
    reports: tuple[FileRef, ...] = Field(
        description="The others. There are several where a test process died in it and another went on."
    )
    dropped: tuple[str, ...] = ()
    lost_reports: tuple[str, ...] = Field(default=(), description="As in ShardResult.")
