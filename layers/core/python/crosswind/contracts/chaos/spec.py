"""The experiment spec: `apiVersion: crosswind.dev/v1`, `kind: ChaosExperiment`.

What a person writes, and what the published JSON Schema describes. Rules that reach over several fields are
`crosswind.chaos.specs`; what an action takes and can do is told by its provider's capabilities.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.probes import Probe
from crosswind.contracts.durations import Duration
from crosswind.contracts.suites import Metadata, Name, Parameter, Scalar

KIND = "ChaosExperiment"
MAX_FAULTS = 20  # also FIS's limit of actions in a template
MAX_PROBES = 30
MAX_STEPS = 10
MAX_GUARDS = 10

Label = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Labels = Annotated[dict[Label, Label], Field(max_length=20)]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9*]{0,61}[a-z0-9*])?$")]
Percent = Annotated[float, Field(gt=0, le=100)]


class ProviderName(StrEnum):
    """Who injects. Those without an implementation are refused by name."""

    FIS = "fis"
    TOXIPROXY = "toxiproxy"
    PROCESS = "process"
    LITMUS = "litmus"
    GREMLIN = "gremlin"
    ISTIO = "istio"


class Risk(StrEnum):
    """How much can go wrong; the environment's policy says how many must approve."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Pick(StrEnum):
    """How many of what a selector matches are hit."""

    ALL = "all"
    COUNT = "count"
    PERCENT = "percent"  # rounded down, as AWS FIS does; a share that makes no target is refused


class TargetSelector(WireModel):
    """What a fault hits. It has to narrow: a selector that names nothing would match everything, and is refused."""

    kind: Label | None = Field(
        default=None,
        description="Of the provider's kinds: `service`, `proxy`, or a resource type such as `aws:eks:pod`.",
    )
    application: Name | None = Field(
        default=None, description="Of the process provider: the local application."
    )
    namespace: Namespace | None = Field(default=None, description="Of Kubernetes.")
    names: tuple[Label, ...] = Field(default=(), max_length=50)
    labels: Labels = Field(default={})
    arns: tuple[Annotated[str, StringConstraints(pattern=r"^arn:[^\s*]+$", max_length=2048)], ...] = Field(
        default=(), max_length=5
    )
    tags: Labels = Field(default={})
    parameters: Annotated[
        dict[Label, Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=20)
    ] = Field(default={})
    pick: Pick = Pick.ALL
    count: int | None = Field(default=None, gt=0, le=1000, description="With `pick: count`.")
    percent: Percent | None = Field(default=None, description="With `pick: percent`.")


class Fault(WireModel):
    """One fault: what is done to which targets, how strongly and for how long."""

    name: Name
    provider: ProviderName
    action: Name = Field(description="One of the provider's actions; `crosswind chaos templates` lists them.")
    target: TargetSelector
    parameters: Annotated[dict[Label, Scalar], Field(max_length=30)] = Field(
        default={}, description="What the action takes, such as `latency: 800`."
    )
    duration: Duration = Field(
        description="The longest that it stays, step for step; the provider keeps it, too."
    )
    after: tuple[Name, ...] = Field(
        default=(), max_length=MAX_FAULTS, description="Faults that are over before it begins; none: at once."
    )


class LadderStep(WireModel):
    """One step of intensity. The gate is asked again before each."""

    percent: Percent = Field(
        description="Of the targets; of the traffic or capacity of a single one where the action can be dosed."
    )
    hold: Duration | None = Field(
        default=None, description="How long the step is watched; unless told, until its faults end."
    )


class Namespaces(WireModel):
    """Names with `*`; what is denied is denied although it is allowed."""

    allow: tuple[Namespace, ...] = Field(default=(), max_length=50)
    deny: tuple[Namespace, ...] = Field(default=(), max_length=50)


class BlastRadius(WireModel):
    """What the experiment may hit at most. What is resolved beyond it blocks the run."""

    max_targets: int = Field(gt=0, le=1000, description="Over all faults of a step.")
    max_percent: Percent = Field(default=100.0, description="Of what a selector matches before it picks.")
    namespaces: Namespaces = Namespaces()
    environments: tuple[Name, ...] = Field(
        default=(), max_length=10, description="Where it may run; none: only in `environment`."
    )


class Hypothesis(WireModel):
    """What stays true although something breaks."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    probes: tuple[Probe, ...] = Field(min_length=1, max_length=MAX_PROBES)


class Guard(WireModel):
    """An SLO whose breach ends the experiment at once."""

    name: Name
    probe: Probe
    breached_for: Duration | None = Field(
        default=None, description="How long it has to be out of tolerance; unless told, one sample is enough."
    )


class EventPattern(WireModel):
    """The domain event that starts it; a field that is not given matches anything."""

    type: Literal["runs.run.finished.v1", "platform.deployment.recorded.v1"]
    suite: Name | None = None
    verdicts: tuple[Name, ...] = Field(default=(), max_length=10)
    service: Label | None = None
    environment: Label | None = None


class WhenSpec(WireModel):
    """When runs of the approved revision start by themselves. Exactly one of cron, at and onEvent is given."""

    cron: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    at: Annotated[str, StringConstraints(min_length=10, max_length=40)] | None = None
    timezone: str = Field(default="UTC", min_length=1, max_length=64, description="An IANA time zone.")
    on_event: EventPattern | None = None


class ApprovalSpec(WireModel):
    """More than the environment's policy asks for; never less."""

    quorum: int | None = Field(default=None, ge=1, le=10)
    valid_for: Duration | None = Field(
        default=None, description="How long an approval counts; 168h unless told."
    )


class Occasion(StrEnum):
    """What people want to be told of."""

    BLOCKED = "blocked"
    STARTED = "started"
    ABORTED = "aborted"
    FALSIFIED = "falsified"
    RECOVERY_UNVERIFIED = "recovery-unverified"
    FINISHED = "finished"


class Notify(WireModel):
    """Whom to tell. `recovery-unverified` is told the operators of the deployment in any case."""

    on: tuple[Occasion, ...] = Field(default=tuple(Occasion), min_length=1, max_length=len(Occasion))
    webhook: Name = Field(description="The name of the team's secret that holds the https address.")


class ExperimentSpec(WireModel):
    """What is believed, what is broken, within what bounds."""

    environment: Name = Field(description="Where it runs; its policy gates it.")
    service: Label | None = Field(
        default=None, description="Whose resilience it tests; the history is kept by it."
    )
    hypothesis: Hypothesis
    faults: tuple[Fault, ...] = Field(min_length=1, max_length=MAX_FAULTS)
    ladder: tuple[LadderStep, ...] = Field(
        default=(), max_length=MAX_STEPS, description="Rising steps; none: one step at full intensity."
    )
    blast_radius: BlastRadius
    abort_on: tuple[Guard, ...] = Field(default=(), max_length=MAX_GUARDS)
    risk: Risk = Risk.MEDIUM
    baseline: Duration = Field(
        default="5s", description="How long the steady state is watched before anything breaks."
    )
    recovery: Duration = Field(
        default="2m",
        description="How long the steady state may take to come back after the faults are undone.",
    )
    timeout: Duration = Field(default="30m", description="Of the whole run, recovery included.")
    schedule: WhenSpec | None = None
    approvals: ApprovalSpec = ApprovalSpec()
    parameters: Annotated[dict[Name, Parameter], Field(max_length=50)] = Field(default={})
    notify: tuple[Notify, ...] = Field(default=(), max_length=5)


class ChaosExperiment(WireModel):
    """An experiment as it is written."""

    api_version: Literal["crosswind.dev/v1"]
    kind: Literal["ChaosExperiment"]
    metadata: Metadata
    spec: ExperimentSpec


Document = dict[str, Any]
