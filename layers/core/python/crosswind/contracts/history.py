"""Requests and answers about the tests' history: flaky tests, one test's past, quarantine."""

from enum import StrEnum

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.suites import Name, Team

MAX_TEST_NAME = 2_000
OUTCOMES = "p passed, f failed, e error, l flaky (failed, then passed), s skipped, m missing"


class FlakyState(StrEnum):
    """What the monitors say of a test."""

    HEALTHY = "healthy"
    FLAKY = "flaky"
    BROKEN = "broken"  # fails nearly always


class QuarantineMode(StrEnum):
    """What quarantine does with a test."""

    MUTE = "mute"  # it runs and is reported; its failure does not gate
    SKIP = "skip"  # it does not run


class PutQuarantineRequest(WireModel):
    """PUT /api/v1/quarantines: put a test into quarantine, or change its quarantine."""

    team: Team | None = None
    suite: Name
    test: Name = Field(description="The suite's test job.")
    name: str = Field(
        min_length=1,
        max_length=MAX_TEST_NAME,
        description="The test as its framework calls it; every variant of it.",
    )
    mode: QuarantineMode = QuarantineMode.MUTE
    owner: str = Field(min_length=1, max_length=200, description="Who mends it: a person or a team.")
    reason: str = Field(min_length=1, max_length=1_000)
    ticket: str | None = Field(default=None, min_length=1, max_length=500)
    expires_at: str = Field(
        max_length=40, description="ISO 8601 with a time zone, at most 30 days ahead. Then it gates again."
    )


class QuarantineView(WireModel):
    """One quarantined test."""

    team: str
    suite: str
    test: str
    name: str
    mode: QuarantineMode
    owner: str
    reason: str
    ticket: str | None = None
    created_at: str
    created_by: str
    expires_at: str
    active: bool = Field(description="false: it has expired, and the test gates again.")


class PutQuarantineAnswer(WireModel):
    """The quarantine as it is stored."""

    quarantine: QuarantineView
    created: bool
    known: bool = Field(
        description="Whether a run has reported a test of this name. If not: is the name spelled right?"
    )


class QuarantineList(WireModel):
    """A team's quarantined tests, by suite, job and name."""

    items: tuple[QuarantineView, ...]


class TestView(WireModel):
    """What is known of one test in one variant."""

    __test__ = False  # pytest: not a test class

    id: str
    suite: str
    test: str
    variant: str = ""
    name: str
    state: FlakyState
    reason: str | None = Field(default=None, description="Why it is called flaky or broken.")
    since: str | None = None
    outcomes: str = Field(description=f"Of its last runs, oldest first: {OUTCOMES}.")
    failure_rate: float | None = Field(default=None, description="Of the runs that count, from 0 to 1.")
    flaky_odds: float = Field(description="How likely its next failure is chance, from 0 to 1.")
    median_seconds: float | None = Field(default=None, description="Of its last ten passing runs.")
    quarantine: QuarantineView | None = None


class FlakyList(WireModel):
    """Tests that are flaky or broken now, the likeliest to fail by chance first."""

    items: tuple[TestView, ...]
    total: int = Field(description="How many there are; `items` holds at most 500.")


class ObservationView(WireModel):
    """One run of a test."""

    execution_id: str
    at: str = Field(description="When the run was submitted.")
    outcome: str = Field(description=f"{OUTCOMES}.")
    seconds: float | None = Field(default=None, description="Kept of the last ten passing runs.")
    commit: str | None = None
    default_branch: bool = False
    counted: bool = Field(
        default=True,
        description="false: it ran under chaos, or most tests of that run failed, which tells nothing of this one.",
    )


class TestHistoryView(WireModel):
    """The past of one test in one variant."""

    __test__ = False  # pytest: not a test class

    test: TestView
    first_seen: str
    failing_since: str | None = Field(
        default=None, description="The run with which its present failures on the default branch began."
    )
    observations: tuple[ObservationView, ...] = Field(description="Newest first, at most 51.")


class TestHistoryList(WireModel):
    """The past of a test in each of its variants."""

    __test__ = False  # pytest: not a test class

    items: tuple[TestHistoryView, ...]
