"""Who acts: what the authorizer makes of a token, kept in every record and log line."""

from enum import StrEnum

from pydantic import Field

from crosswind.contracts.base import WireModel


class Role(StrEnum):
    """What an actor may do inside its teams; each role includes the ones before it."""

    VIEWER = "viewer"  # reads runs, results, logs, suites
    RUNNER = (
        "runner"  # also starts and cancels runs, uploads sources, aborts experiments and halts all of them
    )
    EDITOR = "editor"  # also stores and deletes suites and experiments, approves and starts experiments
    ADMIN = "admin"  # also acts for every team


class Actor(WireModel):
    """A signed-in person or machine."""

    subject: str = Field(min_length=1, max_length=256, description="The token's `sub`, unique per issuer.")
    issuer: str = Field(max_length=512, description="The OIDC issuer that vouches for the subject.")
    teams: tuple[str, ...] = Field(default=(), max_length=100)
    roles: tuple[Role, ...] = Field(default=(), max_length=10)


class Action(StrEnum):
    """What an actor may want to do with something of a team."""

    READ_RUNS = "runs:read"
    START_RUNS = "runs:start"
    CANCEL_RUNS = "runs:cancel"
    PAUSE_RUNS = "runs:pause"
    PAUSE_QUEUE = "queue:pause"
    SET_QUOTAS = "queue:set"
    UPLOAD_SOURCES = "sources:upload"
    READ_SUITES = "suites:read"
    WRITE_SUITES = "suites:write"
    READ_HISTORY = "history:read"  # quarantine too
    WRITE_QUARANTINES = "quarantines:write"
    READ_SCHEDULES = "schedules:read"
    WRITE_SCHEDULES = "schedules:write"  # triggers too
    RECORD_DEPLOYMENTS = "deployments:record"  # incidents too
    READ_EXPERIMENTS = "experiments:read"
    WRITE_EXPERIMENTS = "experiments:write"  # submitting too
    APPROVE_EXPERIMENTS = "experiments:approve"
    START_EXPERIMENTS = "experiments:start"  # scheduling too
    ABORT_EXPERIMENTS = "experiments:abort"
    HALT_CHAOS = "chaos:halt"  # anybody who runs tests may stop everything
    RELEASE_CHAOS = "chaos:release"
    SET_POLICIES = "policies:set"
    SET_CLUSTERS = "clusters:set"


class Access(StrEnum):
    """The answer of the permission policy (crosswind.platform.access)."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"  # the team is the actor's own; its roles do not reach
    HIDDEN = "hidden"  # another team's: the actor may not even learn that it exists
