"""Domain events: past-tense facts with a version, in a CloudEvents-like envelope; they only grow."""

from typing import Final, Literal

from pydantic import Field

from crosswind.contracts.base import WireModel

RUN_FINISHED = "runs.run.finished.v1"
STAGE_MOVED: Final = "runs.stage.moved.v1"
EXPERIMENT_MOVED: Final = "chaos.experiment.moved.v1"
EXPERIMENT_FINISHED: Final = "chaos.experiment.finished.v1"


class RunFinished(WireModel):
    """A run got its verdict."""

    run_id: str
    team: str
    suite: str
    verdict: str
    reason: str
    tests: int
    failed: int
    started_at: str
    finished_at: str
    actor: str
    round: int = Field(default=1, description="1, and one more for each rerun of the run's failed tests.")
    muted: int = Field(default=0, description="Of the failed ones, those in quarantine: they do not gate.")
    trigger: str | None = Field(default=None, description="The schedule or trigger that submitted it.")
    chain: tuple[str, ...] = Field(
        default=(), description="Suites whose runs led to this one by triggers, the oldest first."
    )


class StageMoved(WireModel):
    """A stage beside which an experiment runs has begun or ended. Told again until the experiment has followed."""

    run_id: str
    team: str
    suite: str
    stage: str
    round: int = 1
    to_state: Literal["began", "ended"]
    experiment: str


class DeploymentRecorded(WireModel):
    """A version of a service was deployed into an environment."""

    team: str
    service: str
    environment: str
    version: str
    commit: str | None = None
    actor: str


class ExperimentMoved(WireModel):
    """A revision of an experiment, or a run of one, went from one state to another."""

    experiment: str
    team: str
    environment: str
    revision: int
    run_id: str | None = Field(default=None, description="Of a run's move; none: the revision itself moved.")
    service: str | None = None
    move: str = Field(description="Such as `approve` or `inject`.")
    from_state: str
    to_state: str
    actor: str
    reason: str


class ExperimentFinished(WireModel):
    """A run of an experiment was analysed: its last move."""

    run_id: str
    experiment: str
    team: str
    environment: str
    revision: int
    service: str | None = None
    verdict: str
    reason: str
    abort_cause: str | None = None
    started_at: str | None = None
    finished_at: str
    to_detect: float | None = Field(default=None, description="Seconds, as the others.")
    to_abort: float | None = None
    to_recover: float | None = None
    actor: str = Field(description="Who started it.")
    trigger: str | None = None
    parent_run: str | None = Field(default=None, description="The run of a suite beside which it ran.")


class DomainEvent(WireModel):
    """Envelope: one detail per type. `id` is stable, so that a repeated delivery can be recognised."""

    id: str
    type: Literal[
        "runs.run.finished.v1",
        "runs.stage.moved.v1",
        "platform.deployment.recorded.v1",
        "chaos.experiment.moved.v1",
        "chaos.experiment.finished.v1",
    ] = "runs.run.finished.v1"
    occurred_at: str
    team: str
    detail: RunFinished | StageMoved | DeploymentRecorded | ExperimentMoved | ExperimentFinished = Field(
        description="Grows only by optional fields inside v1."
    )

    @property
    def source(self) -> str:
        """The area that it comes from, as EventBridge's rules name it."""
        return f"crosswind.{self.type.partition('.')[0]}"
