"""The monitor's plan and what it leaves: leased work of the shard protocol (ADR 0002) that watches a run of an experiment.

The monitor tells the machine by announcements on its work item: the first one (`live`) after its first stored heartbeat
and a steady state that held; one for each step (`step-over` or `breach`); its end is the commit. It learns what phase
the run is in from the `PhaseRecord` in the artifacts bucket, which the machine's Lambdas write before they wait for it.
"""

from enum import StrEnum

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.probes import Phase, Probe
from crosswind.contracts.chaos.spec import Guard
from crosswind.contracts.requests import VerdictKind

MONITOR_WORK_ID = "monitor-00000"


class AnnouncementName(StrEnum):
    """What a monitor announces."""

    LIVE = "live"  # the first heartbeat is stored, and the steady state held: faults may go in
    UNSTEADY = "unsteady"  # the steady state did not hold, or could not be measured: nothing may go in
    STEP_OVER = "step-over"  # the step was watched to its end, and no guard was breached
    BREACH = "breach"  # a guard was breached: undo everything now


class MonitorPlan(WireModel):
    """`chaos/<run>/monitor.json`: what the monitor watches."""

    run_id: str
    team: str
    environment: str
    probes: tuple[Probe, ...]
    guards: tuple[Guard, ...]
    baseline_seconds: float
    recovery_seconds: float
    timeout_seconds: float
    hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that probes may ask; crosswind.chaos.addresses decides."
    )
    refused_addresses: tuple[str, ...] = Field(
        default=(), description="host:port of the control plane's own listeners."
    )
    prometheus: str | None = None


class PhaseRecord(WireModel):
    """`chaos/<run>/phase.json`: what the run is doing. Written by the engine; a monitor only reads it."""

    phase: Phase
    step: int = Field(default=0, ge=0, description="1-based in the phase `during`.")
    since: str
    until: str | None = Field(default=None, description="With `during`: when the step is over.")
    gate_fresh_until: str | None = Field(
        default=None,
        description="The gate's last answer counts until then; past it the monitor announces a breach.",
    )
    injected_at: str | None = None
    undone_at: str | None = None


class SuiteAnswer(WireModel):
    """`chaos/<run>/suites/<probe>-<phase>-<step>.json`: what became of a suite that is a probe.

    Written by the engine, which starts the suite; a monitor only reads it.
    """

    execution_id: str | None = None
    verdict: VerdictKind | None = None
    reason: str | None = Field(default=None, description="Of the verdict, or why the suite was not started.")


class SampleStatus(StrEnum):
    """What a sample says."""

    WITHIN = "within"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


class Sample(WireModel):
    """One measurement. A line of `chaos/<run>/samples/<epoch>-<number>.ndjson`."""

    probe: str
    guard: bool = False
    phase: Phase
    step: int = 0
    at: str
    status: SampleStatus
    value: float | str | bool | None = None
    detail: str | None = Field(default=None, max_length=500)
    latency_ms: float | None = None


class ProbeSummary(WireModel):
    """A probe in one phase (and step)."""

    probe: str
    guard: bool = False
    phase: Phase
    step: int = 0
    samples: int
    within: int
    unknown: int
    ratio: float = Field(description="In tolerance over all samples, unknown ones counted as not.")
    required: float
    held: bool
    worst: str | None = Field(
        default=None, max_length=500, description="The first sample out of tolerance, as a sentence."
    )


class MonitorResult(WireModel):
    """`chaos/<run>/monitor/<epoch>.json`: what a monitor saw to its end."""

    run_id: str
    epoch: int
    started_at: str
    finished_at: str
    summaries: tuple[ProbeSummary, ...]
    breach: str | None = None
    breached_at: str | None = Field(default=None, description="When the breaching sample was taken.")
    deviated_at: str | None = Field(
        default=None, description="When a probe of the hypothesis was first out of tolerance under fault."
    )
    steady_again_at: str | None = Field(
        default=None, description="When after the undoing every probe was in tolerance again, and stayed so."
    )
    sample_objects: tuple[str, ...] = ()
    baseline_held: bool = False
