"""Probes: what is measured, how often, and what is tolerated.

Every sample of a probe ends as in tolerance, out of tolerance, or unknown (it could not be measured in time). Unknown
is never counted as in tolerance.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.durations import Duration
from crosswind.contracts.suites import Name, Scalar

Address = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class Phase(StrEnum):
    """When a probe is taken: the steady state before, while it is broken, and after the faults are undone."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class Tolerance(WireModel):
    """What is tolerated of a sample. Exactly one of value, range and pattern is given."""

    value: Scalar | None = None
    range: tuple[float | None, float | None] | None = Field(
        default=None, description="Lowest and highest, each included; null leaves that side open."
    )
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None,
        description="A regular expression (RE2's subset: no backreferences, no lookaround) that is found in the text.",
    )
    json_path: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None, description="Take this out of a JSON answer first; every match has to be tolerated."
    )


class ProbeBase(WireModel):
    """What all probes have."""

    name: Name
    phases: tuple[Phase, ...] = Field(default=tuple(Phase), min_length=1, max_length=3)
    interval: Duration = "1s"
    timeout: Duration = "2s"
    tolerance: Tolerance | None = Field(
        default=None, description="Unless told, what the probe itself calls well."
    )
    ratio: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="The share of the samples of a phase that have to be in tolerance, unknown ones counted as not.",
    )
    window: Duration | None = Field(
        default=None, description="Judge the ratio over the last so long instead of the whole phase."
    )


class Measure(StrEnum):
    """What of an HTTP answer is compared."""

    STATUS = "status"
    LATENCY = "latency"  # milliseconds
    BODY = "body"


class HttpProbe(ProbeBase):
    """One request. Well unless told: a status from 200 to 399."""

    type: Literal["http"]
    url: Address
    method: Literal["GET", "HEAD", "POST"] = "GET"
    headers: Annotated[dict[str, str], Field(max_length=20)] = Field(default={})
    body: str | None = Field(default=None, max_length=10_000)
    measure: Measure = Measure.STATUS


class PrometheusProbe(ProbeBase):
    """An instant query; every sample of the answer has to be tolerated, and no sample is unknown."""

    type: Literal["prometheus"]
    url: Address | None = Field(
        default=None, description="The server; unless told, that of the environment's policy."
    )
    query: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    tolerance: Tolerance


class CloudWatchMetricProbe(ProbeBase):
    """The newest value of a metric's statistic."""

    type: Literal["cloudwatch-metric"]
    namespace: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    metric: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    dimensions: Annotated[dict[str, str], Field(max_length=30)] = Field(default={})
    statistic: Annotated[str, StringConstraints(min_length=1, max_length=10)] = "Average"
    period: Duration = "1m"
    tolerance: Tolerance


class CloudWatchAlarmProbe(ProbeBase):
    """The state of an alarm. Well: OK; INSUFFICIENT_DATA is unknown."""

    type: Literal["cloudwatch-alarm"]
    alarm: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class CommandProbe(ProbeBase):
    """A program on the runner, without Crosswind's credentials. Well unless told: it exits with 0."""

    type: Literal["command"]
    command: tuple[Annotated[str, StringConstraints(max_length=2000)], ...] = Field(
        min_length=1, max_length=50
    )
    compare: Literal["exit-code", "output"] = "exit-code"


class KubernetesProbe(ProbeBase):
    """Objects of one namespace. Well unless told: there is at least one."""

    type: Literal["kubernetes"]
    api_version: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "v1"
    object_kind: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    namespace: Name
    object_name: Name | None = None
    label_selector: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None


class QueueDepthProbe(ProbeBase):
    """How many messages are visible in an SQS queue."""

    type: Literal["queue-depth"]
    queue: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        description="Its name or URL."
    )
    tolerance: Tolerance


class SuiteProbe(ProbeBase):
    """A stored suite of the experiment's team, run once in the phase. Well: it passed; what never ran is unknown."""

    type: Literal["suite"]
    suite: Name
    parameters: Annotated[dict[str, Scalar], Field(max_length=50)] = Field(default={})
    timeout: Duration = "10m"


Probe = Annotated[
    HttpProbe
    | PrometheusProbe
    | CloudWatchMetricProbe
    | CloudWatchAlarmProbe
    | CommandProbe
    | KubernetesProbe
    | QueueDepthProbe
    | SuiteProbe,
    Field(discriminator="type"),
]
