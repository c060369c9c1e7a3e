"""What Crosswind's objects look like inside a Kubernetes cluster: `testsuites`, `testruns`, `testschedules` and
`chaosexperiments` of crosswind.dev/v1.

Specs are those of the API's own documents. There is no team in them: an object belongs to the team of its namespace
(label `crosswind.dev/team`), so that who may write into a namespace decides whose work it is.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from crosswind.contracts.base import WireModel
from crosswind.contracts.chaos.spec import ExperimentSpec
from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.schedules import ScheduleSpec
from crosswind.contracts.suites import Name, Priority, Scalar, SuiteSpec

GROUP = "crosswind.dev"
VERSION = "v1"

Sentence = Annotated[str, StringConstraints(max_length=4096)]
Moment = Annotated[str, StringConstraints(max_length=40)]


class ConditionType(StrEnum):
    """What a controller tells of an object."""

    ACCEPTED = "Accepted"  # the API took the document; if not, `message` has every fault
    FINISHED = "Finished"  # of a TestRun: it has its verdict


class ConditionView(WireModel):
    """As Kubernetes' own conditions."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, StringConstraints(max_length=316)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[str, StringConstraints(max_length=1024)]
    message: Annotated[str, StringConstraints(max_length=32_768)] = ""
    last_transition_time: Moment
    observed_generation: int | None = Field(default=None, ge=0)


class StatusView(WireModel):
    """What every object's status has."""

    model_config = ConfigDict(extra="ignore")

    observed_generation: int | None = Field(default=None, ge=0, description="Of the spec that the API has.")
    conditions: tuple[ConditionView, ...] = Field(default=(), max_length=10)


class StoredStatus(StatusView):
    """Of a suite, a schedule or an experiment that the API keeps."""

    updated_at: Moment | None = None
    digest: Annotated[str, StringConstraints(max_length=128)] | None = Field(
        default=None, description="Of the document that the API keeps."
    )


class CountsView(WireModel):
    """Test cases by status."""

    model_config = ConfigDict(extra="ignore")

    total: int = Field(default=0, ge=0)
    passed: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    error: int = Field(default=0, ge=0)
    skipped: int = Field(default=0, ge=0)


class TestRunSpec(WireModel):
    """A run: of a suite that the API keeps, or of one that is written here. It never changes; deleting it cancels."""

    __test__ = False  # pytest: not a test class

    suite: Name | None = Field(default=None, description="A stored suite of the namespace's team.")
    spec: SuiteSpec | None = Field(
        default=None, description="A suite of its own. Exactly one of both is given."
    )
    parameters: dict[Name, Scalar] = Field(default={}, max_length=50)
    priority: Priority | None = Field(default=None, description="Instead of the suite's own.")


class TestRunStatus(StatusView):
    """Where the run is."""

    __test__ = False  # pytest: not a test class

    execution_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    state: RunState | None = None
    verdict: VerdictKind | None = None
    reason: Sentence | None = None
    counts: CountsView | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    url: Annotated[str, StringConstraints(max_length=2048)] | None = None


class TestSuiteObject(WireModel):
    """What `kubectl explain testsuite` tells."""

    __test__ = False  # pytest: not a test class

    spec: SuiteSpec
    status: StoredStatus | None = None


class TestRunObject(WireModel):
    """What `kubectl explain testrun` tells."""

    __test__ = False  # pytest: not a test class

    spec: TestRunSpec
    status: TestRunStatus | None = None


class TestScheduleObject(WireModel):
    """What `kubectl explain testschedule` tells."""

    __test__ = False  # pytest: not a test class

    spec: ScheduleSpec
    status: StoredStatus | None = None


class ChaosExperimentObject(WireModel):
    """What `kubectl explain chaosexperiment` tells."""

    spec: ExperimentSpec
    status: StoredStatus | None = None
