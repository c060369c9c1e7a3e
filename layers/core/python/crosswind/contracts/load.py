"""Load tests: what a worker measured, and what all workers of a job came to. The metrics' names are in `CanonicalMetric`."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.durations import Duration

MOST_WORKERS = 50
"""Workers of one load job: all of them are checked in the one transaction that lets them begin."""

Threshold = Annotated[str, StringConstraints(min_length=3, max_length=100)]
MetricName = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class CanonicalMetric(StrEnum):
    """Names that mean the same for every load tool; thresholds and comparisons may use them."""

    LATENCY = "latency"  # milliseconds of a request
    THROUGHPUT = "throughput"  # requests
    ERROR_RATE = "error_rate"  # of the requests, those that failed


class MetricKind(StrEnum):
    """What of a metric can be asked for: k6's four kinds."""

    TREND = "trend"  # avg, min, med, max, p(N)
    RATE = "rate"  # rate
    COUNTER = "counter"  # count, rate
    GAUGE = "gauge"  # value


class Comparable(StrEnum):
    """Figures that a baseline can be compared in. More throughput is better, less of the others is."""

    P50 = "latency.p50"
    P90 = "latency.p90"
    P95 = "latency.p95"
    P99 = "latency.p99"
    P999 = "latency.p99.9"
    THROUGHPUT = "throughput"
    ERROR_RATE = "error_rate"


class LoadBaselineSpec(WireModel):
    """What the run is compared with. The comparison fails where a regression beyond the limit is sure."""

    run: Annotated[str, StringConstraints(pattern=r"^(last-passed|run-[0-9a-z]{26})$")] = Field(
        default="last-passed",
        description="`last-passed`: the newest passed run of the suite that has the job. Or the id of a run.",
    )
    max_regression_percent: float = Field(
        default=10.0,
        ge=0,
        le=1000,
        description="So much worse is still within bounds; of the error rate in percentage points.",
    )
    metrics: tuple[Comparable, ...] = Field(
        default=(Comparable.P95, Comparable.THROUGHPUT, Comparable.ERROR_RATE), min_length=1, max_length=7
    )
    confidence_percent: float = Field(default=95.0, ge=80, le=99.9)


class LoadSpec(WireModel):
    """Makes a test job a load test: several workers that begin together and are judged as one."""

    workers: int = Field(
        default=1,
        ge=1,
        le=MOST_WORKERS,
        description="Each sends its part of the load that the script asks for.",
    )
    ready_within: Duration = Field(
        default="5m",
        description="From the first worker that is there until the last one is ready; else all stop.",
    )
    thresholds: dict[MetricName, Annotated[tuple[Threshold, ...], Field(min_length=1, max_length=20)]] = (
        Field(
            default={},
            max_length=50,
            description="Such as `latency: [p(95)<500ms]` or `error_rate: [rate<1%]`, beside those of the script.",
        )
    )
    split: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")], ...] = Field(
        default=("threads",),
        max_length=20,
        description="Framework jmeter: properties of `-JNAME=NUMBER` that are divided among the workers.",
    )
    baseline: LoadBaselineSpec | None = None


class LoadOrder(WireModel):
    """What a worker has to know of its load job."""

    group: str = Field(description="Unique in the run: the job's barrier and its merged results go by it.")
    workers: tuple[str, ...] = Field(min_length=1, max_length=MOST_WORKERS, description="Their work ids.")
    ready_within_seconds: int = Field(gt=0)
    thresholds: dict[str, tuple[str, ...]] = Field(default={})
    split: tuple[str, ...] = ()
    baseline: LoadBaselineSpec | None = None


class MeasuredMetric(WireModel):
    """A metric of one worker, or of all. Those that mean the same for every tool have a canonical name."""

    name: str
    kind: MetricKind
    count: int = Field(ge=0, description="Samples.")
    sum: float = Field(description="Of a rate: how often it held.")
    last: float | None = Field(default=None, description="Of a gauge.")
    histogram: str | None = Field(default=None, description="Of a trend.")


class MeasuredRequests(WireModel):
    """Requests of one name."""

    name: str
    count: int = Field(ge=0)
    errors: int = Field(ge=0)
    histogram: str = Field(description="Milliseconds.")
    message: str | None = Field(default=None, description="The first error.")


class MeasuredCheck(WireModel):
    """A check of the script, or an assertion of the plan."""

    name: str
    passes: int = Field(ge=0)
    fails: int = Field(ge=0)


class MeasuredSlice(WireModel):
    """What ended in one slice of time; slices without a request are left out."""

    index: int = Field(ge=0, description="Slice 0 begins at the common start.")
    requests: int = Field(ge=0)
    errors: int = Field(ge=0)
    histogram: str = Field(description="Milliseconds.")


class LoadResult(WireModel):
    """`load.json`: what one worker measured; and, of all workers, what they measured together."""

    tool: str
    unit: Literal["requests", "iterations"] = Field(
        default="requests",
        description="What counts as a request: a script may send none that its tool knows.",
    )
    accuracy: float = Field(gt=0, lt=1, description="Of the histograms' percentiles.")
    start_at: float = Field(description="The common start, in seconds since 1970.")
    first_at: float | None = Field(default=None, description="When the first sample came.")
    last_at: float | None = None
    slice_seconds: int = Field(ge=1)
    metrics: tuple[MeasuredMetric, ...] = ()
    requests: tuple[MeasuredRequests, ...] = ()
    checks: tuple[MeasuredCheck, ...] = ()
    slices: tuple[MeasuredSlice, ...] = ()
    thresholds: dict[str, tuple[str, ...]] = Field(default={}, description="Those of the script.")
    unread: int = Field(default=0, ge=0, description="Lines of the tool's output that could not be read.")


class LoadFigure(WireModel):
    """One figure of the merged data, such as `latency.p95`."""

    name: str
    value: float
    unit: Literal["ms", "1/s", "%", ""] = ""


class ThresholdResult(WireModel):
    """A threshold, judged on the merged data. `held` None: there was nothing to judge it on."""

    metric: str
    expression: str
    value: float | None = None
    held: bool | None = None


class LoadPoint(WireModel):
    """A slice of time, for a chart."""

    at_seconds: float = Field(description="Since the common start.")
    throughput: float = Field(description="Requests per second.")
    errors: int
    p50: float | None = Field(default=None, description="Milliseconds.")
    p95: float | None = None


class WorkerFigures(WireModel):
    """What one worker did."""

    work_id: str
    requests: int
    errors: int
    started_after_seconds: float | None = Field(
        default=None, description="From the common start to its first request."
    )


class ComparisonVerdict(StrEnum):
    """What a comparison with the baseline is sure of."""

    WITHIN = "within"  # the whole interval is within the limit
    WORSE = "worse"  # the whole interval is beyond it
    INCONCLUSIVE = "inconclusive"  # the limit is inside of it, or there is too little data


class ComparedFigure(WireModel):
    """The effect of one figure, with its interval of confidence. Positive is worse."""

    name: Comparable
    before: float | None = None
    after: float | None = None
    effect: float | None = Field(default=None, description="Percent; of the error rate percentage points.")
    low: float | None = None
    high: float | None = None
    verdict: ComparisonVerdict
    reason: str | None = None


class LoadComparison(WireModel):
    """This run and a baseline. `baseline_run` None: there is none to compare with yet."""

    baseline_run: str | None = None
    method: str
    confidence_percent: float
    max_regression_percent: float
    figures: tuple[ComparedFigure, ...] = ()
    reason: str | None = Field(default=None, description="Why nothing was compared.")


class LoadSummary(WireModel):
    """A load job's merged results, in the results index. What charts and reports show."""

    group: str
    test: str
    variant: str = ""
    tool: str
    unit: Literal["requests", "iterations"] = "requests"
    workers: tuple[WorkerFigures, ...]
    workers_planned: int
    started_at: str
    seconds: float = Field(description="From the common start to the last sample.")
    accuracy: float
    figures: tuple[LoadFigure, ...]
    thresholds: tuple[ThresholdResult, ...] = ()
    slice_seconds: int
    points: tuple[LoadPoint, ...] = ()
    comparison: LoadComparison | None = None
    merged_key: str | None = Field(
        default=None, description="The merged LoadResult: what a later run is compared with."
    )
