"""Values of the tests' history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Observation:
    """One folded case of one finished run."""

    run_id: str
    at: datetime
    outcome: str  # p passed, f failed, e error, l flaky (failed, then passed on the same commit), s skipped, m missing
    seconds: float
    commit: str | None
    default_branch: bool
    counted: bool = (
        True  # False: most tests of its run failed, so it tells of the platform and not of the test
    )


class FlakyState(StrEnum):
    """What the monitors say of a test."""

    HEALTHY = "healthy"
    FLAKY = "flaky"
    BROKEN = "broken"  # fails nearly always


@dataclass(frozen=True, slots=True, kw_only=True)
class TestHistory:
    """The history of one test: bounded, the newest observation last."""

    __test__ = False  # pytest: not a test class

    id: str  # runs.identity.case_id
    name: str
    observations: tuple[Observation, ...] = ()
    first_seen: datetime | None = None
    first_failed_run: str | None = None  # of the present series of failures on the default branch
    state: FlakyState = FlakyState.HEALTHY
    reason: str | None = None  # why the monitors say so
    since: datetime | None = None


class QuarantineMode(StrEnum):
    """What quarantine does with a test."""

    MUTE = "mute"  # it runs and is reported; its failure does not gate
    SKIP = "skip"  # it does not run


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
