"""Submitting a run: what is stored, started and refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.permissions import Guard
from crosswind.contracts.plans import PlanGoal
from crosswind.contracts.requests import SubmitRunRequest
from crosswind.contracts.resolved import ResolvedSuite
from crosswind.contracts.suites import Scalar
from crosswind.contracts.tasks import RunExecutionInput
from crosswind.contracts.work import ArchiveRef, Discovery, PrepareOrder
from crosswind.kernel.errors import (
    ConflictError,
    DependencyError,
    FieldError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    QueueFullError,
)
from crosswind.platform.access import decide
from crosswind.runs import layout
from crosswind.runs.model import Beside, Run
from crosswind.runs.spec_rules import Rules
from crosswind.runs.usecases import documents
from crosswind.runs.usecases.submitting import SubmitRun
from crosswind.runs.usecases.suites import PutSuite
from tests.fakes import (
    START,
    CountingIds,
    MemoryDocumentStore,
    MemoryExecutions,
    MemoryObjectStore,
    MemoryQueues,
    MemoryQueueStore,
    MemoryRunStore,
    SettableClock,
)
from tests.unit.runs.suites_samples import DIGEST, EDITOR, RUNNER, STRANGER, VIEWER, any_job, any_suite


@dataclass
class KnownExperiments:
    """Experiments of team `demo` that are approved."""

    approved: tuple[str, ...] = ("slow-payments",)

    def faults(self, team: str, experiment: str, parameters: Mapping[str, Scalar]) -> Sequence[FieldError]:
        del parameters
        if team == "demo" and experiment in self.approved:
            return ()
        return (FieldError("experiment", f"team {team!r} has no experiment {experiment!r}"),)


@dataclass
class World:
    """Everything that a submission touches."""

    runs: MemoryRunStore = field(default_factory=MemoryRunStore)
    suites: MemoryDocumentStore = field(default_factory=MemoryDocumentStore)
    artifacts: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    sources: MemoryObjectStore = field(default_factory=MemoryObjectStore)
    queues: MemoryQueues = field(default_factory=MemoryQueues)
    executions: MemoryExecutions = field(default_factory=MemoryExecutions)
    experiments: KnownExperiments = field(default_factory=KnownExperiments)

    def __post_init__(self) -> None:
        self.sources.put(layout.archive_key("demo", DIGEST), b"archive")
        self.submit = SubmitRun(
            choose_cluster=lambda suite: None,
            runs=self.runs,
            suites=self.suites,
            artifacts=self.artifacts,
            sources=self.sources,
            queue=MemoryQueueStore(),
            queues=self.queues,
            executions=self.executions,
            guard=Guard(decide),
            clock=SettableClock(),
            ids=CountingIds(),
            rules=Rules(),
            queue_limit=10,
            experiments=self.experiments,
        )

    def resolved(self, run: Run) -> ResolvedSuite:
        return ResolvedSuite.model_validate_json(self.artifacts.get(run.spec_key, limit_bytes=10**6))

    def orders(self, run: Run) -> list[PrepareOrder]:
        data = self.artifacts.get(layout.preparation_orders_key(run.run_id), limit_bytes=10**6)
        tickets = self.executions.started[run.run_id].preparations
        return [
            PrepareOrder.model_validate_json(data[each.order.offset : each.order.offset + each.order.length])
            for each in tickets
        ]

    def remember(self, order: PrepareOrder) -> None:
        """What PlanRun keeps of a preparation that ended well."""
        self.sources.put("prepared", b"archive")
        found = Discovery(
            preparation=order.preparation, archive=ArchiveRef(key="prepared", digest=DIGEST, size=7)
        )
        documents.write(self.artifacts, "somewhere", found)
        until = START + timedelta(days=1)
        self.runs.remember_preparation(order.preparation, discovery_key="somewhere", until=until)


@pytest.fixture
def world() -> World:
    return World()


def request(*jobs: dict[str, Any], **spec: Any) -> SubmitRunRequest:
    return SubmitRunRequest(spec=any_suite(*jobs, **spec))


def test_a_submitted_run_is_stored_watched_and_started(world: World) -> None:
    run, created = world.submit(request(), actor=RUNNER)
    assert created
    assert world.runs.get(run.run_id).actor == "ada"
    assert [watched for watched, _ in world.queues.watches] == [run.run_id]
    stored = world.artifacts.get(layout.execution_input_key(run.run_id), limit_bytes=10**6)
    assert RunExecutionInput.model_validate_json(stored) == world.executions.started[run.run_id]


def test_jobs_with_the_same_preparation_share_it(world: World) -> None:
    jobs = [any_job(), any_job(name="again", timeout="1m"), any_job(name="other", setup=["true"])]
    run, _ = world.submit(request(*jobs), actor=RUNNER)
    assert [test.prepare_work_id for test in world.resolved(run).tests] == [
        "prepare-00000",
        "prepare-00000",
        "prepare-00001",
    ]
    assert [order.setup for order in world.orders(run)] == [(), ("true",)]


def test_a_known_preparation_is_not_made_again(world: World) -> None:
    first, _ = world.submit(request(), actor=RUNNER)
    (order,) = world.orders(first)
    world.remember(order)
    again, _ = world.submit(request(), actor=RUNNER)
    assert world.executions.started[again.run_id].preparations == ()
    assert [test.discovery_key for test in world.resolved(again).tests] == ["somewhere"]


@pytest.mark.parametrize("gone", ["discovery", "archive"])
def test_a_known_preparation_whose_objects_expired_is_made_again(world: World, gone: str) -> None:
    first, _ = world.submit(request(), actor=RUNNER)
    (order,) = world.orders(first)
    world.remember(order)
    if gone == "discovery":
        del world.artifacts.objects["somewhere"]
    else:
        del world.sources.objects["prepared"]
    again, _ = world.submit(request(), actor=RUNNER)
    assert [each.preparation for each in world.orders(again)] == [order.preparation]
    assert [test.discovery_key for test in world.resolved(again).tests] == [None]


def test_parameters_and_matrix_are_substituted(world: World) -> None:
    job = any_job(
        args=["-k", "${{ parameters.what }}-${{ matrix.os }}"], matrix={"os": ["linux", "mac"], "n": [1]}
    )
    suite = any_suite(job, parameters={"what": {}})
    run, _ = world.submit(SubmitRunRequest(spec=suite, parameters={"what": "${{ matrix.n }}"}), actor=RUNNER)
    tests = world.resolved(run).tests
    assert [test.variant for test in tests] == ["n=1,os=linux", "n=1,os=mac"]
    assert tests[0].args == ("-k", "${{ matrix.n }}-linux")


@pytest.mark.parametrize("given", [{}, {"n": "1"}, {"n": 4}, {"n": 1, "x": 1}, {"n": True}])
def test_parameters_that_do_not_fit_are_refused(world: World, given: dict[str, Any]) -> None:
    suite = any_suite(parameters={"n": {"type": "integer", "enum": [1, 2]}})
    with pytest.raises(InvalidInputError):
        world.submit(SubmitRunRequest(spec=suite, parameters=given), actor=RUNNER)


@pytest.mark.parametrize("value", ["x" * 70_000, "x\0y"])
def test_a_parameter_that_no_record_or_command_line_can_hold_is_refused(world: World, value: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        world.submit(
            SubmitRunRequest(spec=any_suite(parameters={"n": {}}), parameters={"n": value}), actor=RUNNER
        )
    assert caught.value.errors[0].path.startswith("parameters")
    assert not world.runs.runs


def test_a_small_suite_that_expands_to_too_much_text_is_refused_before_it_is_built(world: World) -> None:
    job = any_job(args=["${{ parameters.n }}" * 200] * 100, matrix={"a": list(range(50))})
    suite = any_suite(job, parameters={"n": {}})
    with pytest.raises(InvalidInputError) as caught:
        world.submit(SubmitRunRequest(spec=suite, parameters={"n": "x" * 60_000}), actor=RUNNER)
    assert caught.value.errors[0].path == "spec.stages[0].tests[0]"
    assert not world.runs.runs


def test_the_same_key_gives_the_same_run_and_another_request_conflicts(world: World) -> None:
    first, _ = world.submit(request(), actor=RUNNER, idempotency_key="k")
    again, created = world.submit(request(), actor=RUNNER, idempotency_key="k")
    assert (again.run_id, created) == (first.run_id, False)
    assert len(world.executions.started) == 1
    with pytest.raises(ConflictError):
        world.submit(request(timeout="2h"), actor=RUNNER, idempotency_key="k")


def test_a_full_queue_asks_to_come_back_later(world: World) -> None:
    submit = replace(world.submit, queue_limit=0)
    with pytest.raises(QueueFullError) as caught:
        submit(request(), actor=RUNNER)
    assert caught.value.retry_after_seconds > 0
    assert not world.runs.runs


def test_a_repeated_request_gets_its_run_although_the_queue_is_full_by_now(world: World) -> None:
    first, _ = world.submit(request(), actor=RUNNER, idempotency_key="k")
    full = replace(world.submit, queue_limit=0)
    again, created = full(request(), actor=RUNNER, idempotency_key="k")
    assert (again.run_id, created) == (first.run_id, False)
    with pytest.raises(ConflictError):
        full(request(), actor=RUNNER.model_copy(update={"subject": "eve"}), idempotency_key="k")


def test_a_run_whose_execution_cannot_be_started_is_accepted_for_the_sweep(world: World) -> None:
    class Broken(MemoryExecutions):
        def start(self, name: str, payload: RunExecutionInput) -> None:
            raise DependencyError("throttled")

    run, created = replace(world.submit, executions=Broken())(request(), actor=RUNNER)
    assert created
    assert world.runs.get(run.run_id)
    assert world.queues.watches


def test_an_archive_that_was_not_uploaded_is_refused(world: World) -> None:
    missing = any_job(source={"archive": {"digest": "sha256:" + "b" * 64}})
    with pytest.raises(InvalidInputError) as caught:
        world.submit(request(missing), actor=RUNNER)
    assert [fault.path for fault in caught.value.errors] == ["spec.stages[0].tests[0].source.archive.digest"]


def test_viewers_and_other_teams_do_not_start_runs(world: World) -> None:
    for actor in (VIEWER, STRANGER):
        with pytest.raises(ForbiddenError):
            world.submit(request(), actor=actor)


def test_a_stored_suite_runs_by_name(world: World) -> None:
    put = PutSuite(suites=world.suites, guard=Guard(decide), clock=SettableClock(), rules=Rules())
    put("shop", json.dumps(any_suite()), actor=EDITOR)
    run, _ = world.submit(SubmitRunRequest(suite="shop"), actor=RUNNER)
    assert run.suite == "shop"
    with pytest.raises(NotFoundError):
        world.submit(SubmitRunRequest(suite="absent"), actor=RUNNER)
    with pytest.raises(ForbiddenError):
        put("shop", json.dumps(any_suite()), actor=RUNNER)
    with pytest.raises(InvalidInputError):
        put("other-name", json.dumps(any_suite()), actor=EDITOR)


def beside(**chaos: Any) -> dict[str, Any]:
    """A suite with an experiment beside its second stage."""
    stages = [
        {"name": "one", "tests": [any_job()]},
        {"name": "two", "tests": [any_job(name="load")], "chaos": {"experiment": "slow-payments", **chaos}},
    ]
    return any_suite(stages=stages)


def test_an_experiment_beside_a_stage_is_kept_with_the_run(world: World) -> None:
    run, _ = world.submit(
        SubmitRunRequest(spec=beside(after="30s", parameters={"latency": 800})), actor=EDITOR
    )
    assert world.runs.get(run.run_id).beside == (
        Beside(stage=1, experiment="slow-payments", after_seconds=30, parameters={"latency": 800}),
    )


def test_an_experiment_that_cannot_start_is_refused_with_its_field(world: World) -> None:
    with pytest.raises(InvalidInputError) as caught:
        world.submit(SubmitRunRequest(spec=beside(experiment="nope")), actor=EDITOR)
    assert [fault.path for fault in caught.value.errors] == ["spec.stages[1].chaos.experiment"]
    assert world.executions.started == {}


def test_who_may_not_start_experiments_starts_them_only_by_a_suite_that_an_editor_stored(
    world: World,
) -> None:
    with pytest.raises(ForbiddenError):
        world.submit(SubmitRunRequest(spec=beside()), actor=RUNNER)
    put = PutSuite(suites=world.suites, guard=Guard(decide), clock=SettableClock(), rules=Rules())
    put("shop", json.dumps(beside()), actor=EDITOR)
    run, _ = world.submit(SubmitRunRequest(suite="shop"), actor=RUNNER)
    assert len(run.beside) == 1


def test_a_plan_runs_no_experiment(world: World) -> None:
    run, _ = world.submit(SubmitRunRequest(spec=beside()), actor=RUNNER, goal=PlanGoal())
    assert run.beside == ()


def test_what_an_experiment_beside_a_stage_cannot_mean_is_refused(world: World) -> None:
    wrong = beside(after="48h", parameters={"latency": "${{ parameters.latency }}"}, during="night")
    with pytest.raises(InvalidInputError) as caught:
        world.submit(SubmitRunRequest(spec=wrong), actor=EDITOR)
    assert sorted(fault.path for fault in caught.value.errors) == [
        "spec.stages[1].chaos.after",
        "spec.stages[1].chaos.during",
        "spec.stages[1].chaos.parameters.latency",
    ]
