"""Why a run waits, is red, or passed: GET /api/v1/tests/{id}/why, as sentences and as facts."""

from enum import StrEnum

from pydantic import Field

from crosswind.contracts.base import WireModel
from crosswind.contracts.queueing import WaitingView
from crosswind.contracts.requests import RunState, VerdictView
from crosswind.contracts.statuses import CaseStatus

MOST_FAILURES = 50
MOST_LOST = 20


class Cause(StrEnum):
    """Where a run's colour comes from. Infrastructure and tests are judged apart."""

    NONE = "none"  # it passed, or has no verdict yet
    TESTS = "tests"  # tests failed
    GATES = "gates"  # no test failed that counts; a gate did
    SETUP = "setup"  # the tests could not be prepared or collected
    INFRASTRUCTURE = "infrastructure"  # Crosswind could not do its part; no test is to blame
    EVIDENCE = "evidence"  # results are missing, doubled or unreadable
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class KnownFailureView(WireModel):
    """The series of failures that a test was in before this run."""

    since_run: str
    since: str
    failures: int
    on_default_branch: bool


class FailingTestView(WireModel):
    """A failed test, with what its history says."""

    id: str
    test: str
    variant: str = ""
    name: str
    status: CaseStatus
    work_id: str
    attempts: int = 1
    message: str | None = None
    new: bool | None = Field(
        default=None, description="It did not fail before this run; null: nothing is known of it."
    )
    known: KnownFailureView | None = None
    flaky_odds: float | None = Field(
        default=None, description="How likely this failure is chance, by its earlier ones: 0 to 1."
    )
    muted: str | None = None


class FirstFailureView(WireModel):
    """The failed test whose shard ended first."""

    name: str
    work_id: str
    at: str
    message: str | None = None


class SimilarFailuresView(WireModel):
    """Failed tests with the same message, numbers apart."""

    message: str
    tests: int
    examples: tuple[str, ...]


class LostAttemptView(WireModel):
    """An attempt that infrastructure lost."""

    attempt: int
    reason: str
    detail: str
    at: str


class LostWorkView(WireModel):
    """Work that infrastructure did not bring to an end."""

    work_id: str
    test: str
    outcome: str | None = None
    reason: str
    attempts: int = Field(description="Attempts that were made.")
    budget: int = Field(description="Attempts that it had: one, and its retries for infrastructure.")
    lost: tuple[LostAttemptView, ...] = ()


class WhyView(WireModel):
    """Why a run is as it is. `answer` is for people; the rest is what it was made from."""

    execution_id: str
    state: RunState
    round: int = 1
    verdict: VerdictView | None = None
    cause: Cause = Cause.NONE
    answer: tuple[str, ...] = Field(description="Sentences, the most important first.")
    waiting: WaitingView | None = None
    first_failure: FirstFailureView | None = None
    failures: tuple[FailingTestView, ...] = Field(
        default=(), description=f"At most {MOST_FAILURES}, those that gate first."
    )
    more_failures: int = 0
    similar: tuple[SimilarFailuresView, ...] = ()
    lost: tuple[LostWorkView, ...] = Field(default=(), description=f"At most {MOST_LOST}.")
    made_good: int = Field(
        default=0, description="Attempts that infrastructure lost and that were made again."
    )
