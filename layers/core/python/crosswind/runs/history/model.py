"""Values of the tests' history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crosswind.contracts.history import FlakyState as FlakyState  # noqa: PLC0414  # a word of this area, too
from crosswind.contracts.history import QuarantineMode as QuarantineMode  # noqa: PLC0414


@dataclass(frozen=True, slots=True, order=True)
class JobKey:
    """Tests of one test job and variant share a history."""

    team: str
    suite: str
    test: str
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a test takes, from its last passing runs: median, spread (median absolute deviation), sample size."""

    seconds: float
    spread_seconds: float
    samples: int


class Outcome(StrEnum):
    """What an observation says, in the letter that is stored."""

    PASSED = "p"
    FAILED = "f"
    ERROR = "e"
    FLAKY = "l"  # failed, then passed within the same run, and so on the same commit
    SKIPPED = "s"
    MISSING = "m"


@dataclass(frozen=True, slots=True)
class Observation:
    """One folded case of one finished run."""

    run_id: str
    at: datetime  # when the run was submitted: the order of the code, whatever order runs end in
    outcome: str  # an Outcome
    seconds: float | None  # None: not kept, which only the last passing runs have
    commit: str | None
    default_branch: bool
    counted: bool = (
        True  # False: under chaos, or most tests of its run failed: it tells of that and not of the test
    )


class Monitor(StrEnum):
    """The three ways in which a test shows that it is flaky."""

    RETRY = "passed-on-retry"
    TRANSITIONS = "transitions"
    FAILURE_RATE = "failure-rate"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A monitor that is active. What it needs to end again is kept here, for the observations behind it may be gone."""

    monitor: Monitor
    since: datetime
    last_at: datetime  # of its newest evidence
    reason: str
    clean_runs: int = 0  # that passed since then


@dataclass(frozen=True, slots=True, kw_only=True)
class TestHistory:
    """The history of one test: bounded, the newest observation last."""

    __test__ = False  # pytest: not a test class

    id: str  # runs.identity.case_id
    name: str
    first_seen: datetime
    observations: tuple[Observation, ...] = ()
    first_failed_run: str | None = None  # of the present series of failures on the default branch
    state: FlakyState = FlakyState.HEALTHY
    reason: str | None = None  # why the monitors say so
    since: datetime | None = None
    alarms: tuple[Alarm, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A test that does not gate for a while. It gates again on `expires_at`."""

    team: str
    suite: str
    test: str  # the test job
    name: str  # as the framework calls it, every variant
    mode: QuarantineMode
    owner: str
    reason: str
    ticket: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime
