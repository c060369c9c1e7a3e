"""Names of states, moves and verdicts. Which move is legal where is crosswind.chaos.lifecycle."""

from enum import StrEnum


class RevisionState(StrEnum):
    """A revision of a definition. Any edit makes a new draft."""

    DRAFT = "Draft"
    UNDER_REVIEW = "UnderReview"
    APPROVED = "Approved"


class RunState(StrEnum):
    """A run of an approved revision."""

    SCHEDULED = "Scheduled"
    PREFLIGHT_CHECK = "PreFlightCheck"
    BLOCKED = "Blocked"
    RUNNING = "Running"  # a step's faults are being injected
    MONITORING = "Monitoring"  # they are in, and watched
    COMPLETED = "Completed"  # every step went through
    ABORTED = "Aborted"
    RECOVERY = "Recovery"  # everything is being undone, and the provider asked
    RECOVERY_UNVERIFIED = "RecoveryUnverified"
    ANALYZED = "Analyzed"


class ExperimentVerdict(StrEnum):
    """What a run says of its hypothesis. Only `held` and `falsified` say anything of it."""

    HELD = "held"
    FALSIFIED = "falsified"
    NOT_INJECTED = "not-injected"
    INCONCLUSIVE = "inconclusive"
    ABORTED = "aborted"
    RECOVERY_UNVERIFIED = "recovery-unverified"


class FaultState(StrEnum):
    """What is known of one injection, and only from its provider."""

    PLANNED = "planned"  # its compensation is stored; nothing was asked of the provider yet
    INJECTING = "injecting"  # the provider was asked; the answer may have been lost
    ACTIVE = "active"  # the provider says that it is in
    REMOVED = "removed"  # the provider says that it is gone
    REFUSED = "refused"  # the provider says that it never went in
    UNKNOWN = "unknown"  # the provider cannot be asked, or will not say


class AbortCause(StrEnum):
    """Why a run was aborted."""

    ACTOR = "actor"
    HALT = "halt"
    SLO = "slo"  # a guard's breach, or a stop condition of the provider's
    STEADY_STATE = "steady-state"  # the hypothesis did not hold before anything was broken
    GATE = "gate"
    MONITOR_SILENT = "monitor-silent"
    INJECTION = "injection"  # the provider refused or failed
    ENGINE = "engine"  # the state machine or its Lambda is gone
    TIMEOUT = "timeout"
    SUITE_ENDED = "suite-ended"  # the run beside which it ran is over
