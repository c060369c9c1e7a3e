"""The suite spec: `apiVersion: crosswind.dev/v1`, `kind: TestSuite`.

`TestSuite` is what a person writes and what the published JSON Schema describes. Fields whose effect is not built yet
are in `NOT_BUILT` and are refused by name, never ignored (crosswind.runs.specs).
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.durations import Duration
from crosswind.contracts.load import LoadSpec
from crosswind.contracts.services import MAX_SERVICES, Cpu, Image, Memory, ServiceSpec

API_VERSION = "crosswind.dev/v1"
DEFAULT_CONCURRENCY = 100
MAX_SPEC_BYTES = 1024 * 1024

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$")]
Team = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=512)]
Scalar = str | int | float | bool
Formula = Annotated[str, StringConstraints(pattern=r"^\s*\$\{\{", min_length=1, max_length=1000)]
MatrixValues = Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=1000)] | Formula


class Priority(StrEnum):
    """Strict order of admission: P0 before P1 before P2."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"


class Metadata(WireModel):
    """Who owns the suite and how it is found."""

    name: Name = Field(description="Unique within the team.")
    team: Team = Field(description="The team that owns the suite and its runs.")
    labels: dict[
        Annotated[str, StringConstraints(max_length=63)], Annotated[str, StringConstraints(max_length=63)]
    ] = Field(default={}, max_length=32)


class ParameterType(StrEnum):
    """Types of a suite's parameters."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


class Parameter(WireModel):
    """A typed input of the suite, used as `${{ parameters.NAME }}` in env, args, command, setup and git refs."""

    type: ParameterType = ParameterType.STRING
    default: Scalar | None = Field(default=None, description="Without a default the parameter is required.")
    enum: tuple[Scalar, ...] | None = Field(default=None, min_length=1, max_length=100)
    description: str | None = Field(default=None, max_length=1000)


class GitSourceSpec(WireModel):
    """A Git repository at a ref."""

    uri: str = Field(
        min_length=1, max_length=2048, description="https:// or ssh:// address of the repository."
    )
    ref: str = Field(default="HEAD", min_length=1, max_length=255, description="Branch, tag or commit.")
    paths: tuple[Glob, ...] = Field(
        default=(), max_length=100, description="Sparse checkout of these folders only."
    )


class ArchiveSourceSpec(WireModel):
    """A tar.gz in Crosswind's sources bucket, put there through POST /api/v1/sources."""

    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")


class SourceSpec(WireModel):
    """Exactly one of git, archive, directory. The CLI turns `directory` into `archive` before it submits."""

    git: GitSourceSpec | None = None
    archive: ArchiveSourceSpec | None = None
    directory: str | None = Field(
        default=None, max_length=4096, description="A folder beside the suite file."
    )


class Distribution(StrEnum):
    """How a test job's tests reach its shards."""

    AUTO = "auto"  # pull where the framework can, else static
    PULL = "pull"  # runners lease batches from one list, the longest first
    STATIC = "static"  # each shard owns a fixed list


class ShardsSpec(WireModel):
    """How many shards a test is split into, and how tests reach them."""

    count: int | Literal["auto"] = Field(default="auto", description="A number from 1 to 1000, or auto.")
    target_time: Duration | None = Field(
        default=None,
        description="With count auto: the fewest shards that are expected to finish in this time, start-up included.",
    )
    max_parallel: int | None = Field(
        default=None, ge=1, le=1000, description="With count auto: the most shards."
    )
    distribution: Distribution = Field(
        default=Distribution.AUTO,
        description="pull: runners lease batches from one list. static: each shard has a fixed list.",
    )


class RetriesSpec(WireModel):
    """Two budgets that never mix."""

    tests: int = Field(default=0, ge=0, le=5, description="Further runs of a failed test, inside its shard.")
    infrastructure: int = Field(
        default=3, ge=0, le=10, description="Further tries after lost runners and the like."
    )


class ResourcesSpec(WireModel):
    """What one shard may use."""

    memory: Memory | None = None
    cpu: Cpu | None = Field(
        default=None,
        description="Counted by admission; only pods can be held to it.",
    )


class TestSpec(WireModel):
    """One test job: a source, a framework, a command, split into shards."""

    __test__ = False  # pytest: not a test class

    name: Name
    framework: Name = Field(
        description="A built-in framework, or one of the team's own (`crosswind frameworks list`)."
    )
    source: SourceSpec
    setup: tuple[Annotated[str, StringConstraints(min_length=1, max_length=8192)], ...] = Field(
        default=(),
        max_length=20,
        description="Shell commands run once, before the shards; what they leave travels.",
    )
    working_directory: Glob | None = Field(
        default=None,
        description="A folder of the source: setup, command, reports and artifacts are relative to it.",
    )
    command: str | None = Field(default=None, max_length=8192, description="Needed by framework `command`.")
    args: tuple[Annotated[str, StringConstraints(max_length=4096)], ...] = Field(default=(), max_length=200)
    env: dict[EnvName, Annotated[str, StringConstraints(max_length=32768)]] = Field(
        default={}, max_length=200
    )
    secret_refs: dict[EnvName, Name] = Field(
        default={}, max_length=50, description="Environment name to the name of one of the team's secrets."
    )
    shards: ShardsSpec = ShardsSpec()
    matrix: dict[Name, MatrixValues] = Field(
        default={},
        max_length=5,
        description="Every combination runs; used as ${{ matrix.NAME }}. A list, or a formula such as ${{ split(parameters.browsers) }}.",
    )
    resources: ResourcesSpec = ResourcesSpec()
    image: Image | None = Field(
        default=None,
        description="Of the tests' container, instead of the framework's own; it holds the runner (docs/containers.md).",
    )
    interruptible: bool = Field(
        default=True, description="Its pods may run on Spot: one that is reclaimed is run again."
    )
    anti_affinity: Name | None = Field(
        default=None,
        description="Shards of the team with the same key never run at the same time, as where they share an account.",
    )
    fail_fast: bool = Field(
        default=False, description="The first failed test ends the other shards of this job."
    )
    load: LoadSpec | None = Field(
        default=None, description="Of frameworks k6 and jmeter: how many workers, and what decides."
    )
    retries: RetriesSpec = RetriesSpec()
    timeout: Duration = Field(
        default="30m", description="Of one shard's process; the whole process tree is killed."
    )
    reports: tuple[Glob, ...] = Field(
        default=(), max_length=50, description="JUnit XML files, relative globs."
    )
    artifacts: tuple[Glob, ...] = Field(default=(), max_length=50)
    services: tuple[ServiceSpec, ...] = Field(
        default=(),
        max_length=MAX_SERVICES,
        description="Containers beside each shard's tests; they need a suite that runs on a cluster.",
    )


class StageCondition(StrEnum):
    """When a stage runs, seen from the stages before it."""

    PASSED = "passed"  # every stage before that ran has passed
    FAILED = "failed"  # some stage before has failed
    ALWAYS = "always"  # whatever they came to, unless the run is cancelled


class ChaosSpan(StrEnum):
    """When an experiment runs beside a stage."""

    STAGE = "stage"  # from its first shard that has a runner until its last shard has ended


class StageChaosSpec(WireModel):
    """An approved experiment that runs beside the tests of a stage, through the same safety gate as any other run of it."""

    experiment: Name = Field(description="An approved experiment of the suite's team.")
    during: ChaosSpan = Field(
        default=ChaosSpan.STAGE,
        description="stage: from the first shard that has a runner until the last one has ended, which stops it.",
    )
    after: Duration | None = Field(default=None, description="Start it so much later.")
    required: bool = Field(
        default=True,
        description="Without a fault that was in while tests ran, the run is inconclusive instead of passed.",
    )
    parameters: dict[Name, Scalar] = Field(
        default={}, max_length=50, description="Of the experiment, as in its `enum`s."
    )


class StageSpec(WireModel):
    """Tests that run side by side. Stages run in order; a stage whose condition does not hold is left out."""

    name: Name
    when: StageCondition = Field(default=StageCondition.PASSED, description="passed, failed or always.")
    condition: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="An expression over the parameters, such as `${{ parameters.full == true }}`; false leaves the stage out.",
    )
    fail_fast: bool = Field(
        default=False, description="The first failed test ends the other shards of this stage."
    )
    chaos: StageChaosSpec | None = Field(
        default=None, description="A chaos experiment beside the stage's tests."
    )
    tests: tuple[TestSpec, ...] = Field(min_length=1, max_length=50)


class BudgetMetric(StrEnum):
    """What a performance budget bounds."""

    RUN_DURATION = "run.duration"  # from start to the end of the last shard
    TEST_P95 = "tests.duration.p95"
    TEST_MAX = "tests.duration.max"


class BudgetSpec(WireModel):
    """A performance budget."""

    metric: BudgetMetric
    max: Duration
    test: Name | None = Field(default=None, description="Only of this test job.")


class GatesSpec(WireModel):
    """Conditions on the whole run, judged after all tests."""

    min_tests: int | None = Field(default=None, ge=1, description="At least so many tests must have run.")
    max_skipped_percent: float | None = Field(default=None, ge=0, le=100)
    max_failure_percent: float | None = Field(
        default=None,
        ge=0,
        le=100,
        description="So many failed tests, in percent of those that ran, still pass.",
    )
    no_new_failures: bool = Field(
        default=False,
        description="Only tests that fail now and did not fail before on the default branch make the run red.",
    )
    budgets: tuple[BudgetSpec, ...] = Field(default=(), max_length=20)


class SuiteSpec(WireModel):
    """What to run and under which limits."""

    priority: Priority = Priority.P1
    timeout: Duration = Field(default="1h", description="Of the whole run, waiting included.")
    concurrency: int = Field(
        default=DEFAULT_CONCURRENCY, ge=1, le=1000, description="The most shards of one run at once."
    )
    cluster: Name | None = Field(
        default=None,
        description="Run on this cluster (`crosswind clusters list`), instead of the team's or the deployment's own.",
    )
    suite_concurrency: int | None = Field(
        default=None, ge=1, le=10_000, description="The most shards of all runs of this suite at once."
    )
    parameters: dict[Name, Parameter] = Field(default={}, max_length=50)
    stages: tuple[StageSpec, ...] = Field(min_length=1, max_length=20)
    gates: GatesSpec = GatesSpec()
    notify: tuple[dict[str, Any], ...] = Field(default=(), max_length=20)


class TestSuite(WireModel):
    """A suite of tests."""

    __test__ = False  # pytest: not a test class

    api_version: Literal["crosswind.dev/v1"]
    kind: Literal["TestSuite"]
    metadata: Metadata
    spec: SuiteSpec


NOT_BUILT = {
    "notify": "notifications are not delivered yet",
}
"""Fields of the schema that nothing acts on yet, with the reason shown when one is set."""

_DURATION_PART = re.compile(r"([0-9]+)([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def duration_seconds(duration: str) -> int:
    """Seconds of a Duration such as `1h30m` or `45s`."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(duration))
