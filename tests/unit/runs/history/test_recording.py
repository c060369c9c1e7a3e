"""RecordHistory: which runs tell the history something, and what."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from crosswind.contracts.requests import RunState, VerdictKind
from crosswind.contracts.resolved import ResultsIndex
from crosswind.contracts.statuses import CaseStatus
from crosswind.kernel.errors import DependencyError
from crosswind.runs import layout
from crosswind.runs.history.model import JobKey, Observation
from crosswind.runs.identity import case_id
from crosswind.runs.model import Case, RunPurpose, Verdict
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.recording import RecordHistory
from tests.fakes import START, MemoryObjectStore, MemoryRunStore, SettableClock, make_run
from tests.fakes.history import MemoryHistoryStore
from tests.fakes.samples import run_id

JOB = JobKey("demo", "shop", "api")
PAGE_SIZE = 2
FAILED = Verdict(VerdictKind.FAILED, "2 of 3 tests failed.")


def make_case(name: str, status: CaseStatus = CaseStatus.PASSED, **changes: Any) -> Case:
    variant = changes.get("variant", "")
    identity = case_id(team="demo", suite="shop", test="api", variant=variant, name=name)
    values: dict[str, Any] = {
        "id": identity,
        "test": "api",
        "variant": "",
        "name": name,
        "status": status,
        "duration_seconds": 1.23456,
        "work_id": "shard-00000",
    }
    return Case(**{**values, **changes})


@dataclass
class World:
    """Finished runs with their results."""

    runs: MemoryRunStore = field(default_factory=MemoryRunStore)
    artifacts: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    history: MemoryHistoryStore = field(default_factory=MemoryHistoryStore)

    def __post_init__(self) -> None:
        self.record = RecordHistory(
            runs=self.runs, artifacts=self.artifacts, history=self.history, clock=SettableClock()
        )

    def finish(self, *cases: Case, number: int = 1, **changes: Any) -> str:
        counts = {status.value: sum(case.status is status for case in cases) for status in CaseStatus}
        values = {"state": RunState.FINISHED, "verdict": FAILED, "case_counts": counts}
        self.runs.create(make_run(number, **{**values, **changes}), idempotency=None)
        self.write(cases, number)
        return run_id(number)

    def write(self, cases: tuple[Case, ...], number: int = 1) -> None:
        for page in range(0, len(cases), PAGE_SIZE):
            key = layout.results_page_key(run_id(number), page // PAGE_SIZE)
            documents.write_cases(self.artifacts, key, cases[page : page + PAGE_SIZE])
        index = ResultsIndex(page_size=PAGE_SIZE, total=len(cases), ranges={})
        documents.write(self.artifacts, layout.results_index_key(run_id(number)), index)

    def seen(self, job: JobKey = JOB) -> dict[str, str]:
        """Outcomes by name."""
        return {
            test.name: "".join(each.outcome for each in test.observations)
            for test in self.history.of_job(job)
        }


@pytest.fixture
def world() -> World:
    return World()


def test_every_case_is_told_with_its_outcome_over_all_pages(world: World) -> None:
    cases = [make_case(status.value, status) for status in CaseStatus]
    assert world.record(world.finish(*cases)) == 6
    assert world.seen() == {
        "failed": "f",
        "error": "e",
        "missing": "m",
        "flaky": "l",
        "skipped": "s",
        "passed": "p",
    }


def test_an_observation_names_run_submission_commit_and_branch(world: World) -> None:
    world.record(world.finish(make_case("a"), commit="c" * 40, branch="trunk", default_branch="trunk"))
    (test,) = world.history.of_job(JOB)
    assert test.observations == (
        Observation(
            run_id=run_id(), at=START, outcome="p", seconds=1.235, commit="c" * 40, default_branch=True
        ),
    )


@pytest.mark.parametrize(
    ("branch", "default_branch", "is_default"),
    [
        ("main", None, True),
        ("master", None, True),
        ("HEAD", "HEAD", True),
        ("main", "trunk", False),
        ("fix", None, False),
        (None, "main", False),
        (None, None, False),
    ],
)
def test_the_default_branch_is_the_one_that_was_told(
    world: World, branch: str | None, default_branch: str | None, *, is_default: bool
) -> None:
    world.record(world.finish(make_case("a"), branch=branch, default_branch=default_branch))
    (test,) = world.history.of_job(JOB)
    assert test.observations[0].default_branch is is_default


def test_variants_have_histories_of_their_own(world: World) -> None:
    firefox = make_case("a", CaseStatus.FAILED, variant="browser=firefox")
    world.record(world.finish(make_case("a"), firefox))
    assert world.seen() == {"a": "p"}
    assert world.seen(JobKey("demo", "shop", "api", "browser=firefox")) == {"a": "f"}


def test_a_repeated_event_changes_nothing(world: World) -> None:
    run = world.finish(make_case("a"))
    world.record(run)
    world.record(run)
    assert world.seen() == {"a": "p"}


def test_the_next_round_of_a_run_replaces_what_the_first_saw(world: World) -> None:
    run = world.finish(make_case("a", CaseStatus.FAILED))
    world.record(run)
    world.write((make_case("a", CaseStatus.FLAKY),))
    world.record(run)
    assert world.seen() == {"a": "l"}


def test_most_tests_failing_at_once_count_for_none(world: World) -> None:
    cases = [make_case(f"t{number}", CaseStatus.FAILED) for number in range(10)]
    world.record(world.finish(*cases))
    assert not any(test.observations[0].counted for test in world.history.of_job(JOB))


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": RunPurpose.PLAN},
        {"state": RunState.EXECUTING, "verdict": None},
        {"verdict": Verdict(VerdictKind.CANCELLED, "The run was cancelled.")},
    ],
    ids=["plan", "reopened for a rerun", "cancelled"],
)
def test_runs_that_tell_nothing(world: World, changes: dict[str, Any]) -> None:
    assert world.record(world.finish(make_case("a"), **changes)) == 0
    assert not world.seen()


def test_tests_that_ended_count_though_infrastructure_spoiled_their_run(world: World) -> None:
    error = Verdict(VerdictKind.ERROR, "shard-00001 was given up.")
    world.record(world.finish(make_case("a"), make_case("b", CaseStatus.MISSING), verdict=error))
    assert world.seen() == {"a": "p", "b": "m"}


def test_a_run_that_is_gone_or_has_no_results_is_no_error(world: World) -> None:
    world.runs.create(make_run(state=RunState.FINISHED, verdict=FAILED), idempotency=None)
    assert world.record(run_id()) == 0
    assert world.record(run_id(2)) == 0


def test_of_several_runs_those_that_failed_are_told_again(world: World) -> None:
    class Failing(MemoryHistoryStore):
        def record(self, job: JobKey, *_: Any, **__: Any) -> None:
            raise DependencyError("dynamodb: no answer")

    runs = [world.finish(make_case("a")), run_id(7)]
    broken = RecordHistory(
        runs=world.runs, artifacts=world.artifacts, history=Failing(), clock=SettableClock()
    )
    assert broken.all(runs) == [0]
    assert world.record.all(runs) == []
