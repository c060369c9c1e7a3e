"""Experiments beside stages of suites' runs, seen from the chaos area: started once, stopped with the stage, told to the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.adapters.experiments import StoredExperiments, UnknownExperiments
from crosswind.adapters.suite_runs import StoredSuiteRuns
from crosswind.chaos.beside import BesideNews
from crosswind.chaos.model import Abort, ExperimentRun
from crosswind.chaos.usecases.accompanying import AccompanyRuns, accompanied
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.lifecycle import (
    AbortCause,
    ExperimentVerdict,
    FaultState,
    RevisionState,
    RunState,
)
from crosswind.contracts.events import DomainEvent, ExperimentFinished, StageMoved
from crosswind.contracts.requests import RunState as SuiteRunState
from crosswind.contracts.suites import Scalar
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, DependencyError
from crosswind.runs import beside
from crosswind.runs.model import Beside, Run
from tests.fakes import START, MemoryRunStore, SettableClock, make_run
from tests.fakes.chaos import (
    MemoryExperimentRunStore,
    MemoryExperimentStore,
    exp_id,
    make_experiment,
    make_experiment_run,
    make_hold,
    make_injection,
    make_target,
)

RUN = make_run().run_id
LATER = START + timedelta(seconds=9)


@dataclass
class World:
    """A suite's run in its first stage, the experiments' runs, and who starts and aborts them."""

    clock: SettableClock = field(default_factory=SettableClock)
    suites: MemoryRunStore = field(default_factory=MemoryRunStore)
    runs: MemoryExperimentRunStore = field(default_factory=MemoryExperimentRunStore)
    started: list[tuple[str | None, Actor]] = field(default_factory=list)
    fault: Exception | None = None
    ends_meanwhile: bool = False

    def __post_init__(self) -> None:
        suites = StoredSuiteRuns(runs=self.suites, clock=self.clock, pause=lambda _: None)
        self.accompany = AccompanyRuns(suites=suites, runs=self.runs, start=self.start, abort=self.abort)

    def begin(self, **changes: Any) -> None:
        record = Beside(stage=0, experiment="slow-payments", began_at=START, parameters={"latency": 800})
        run = make_run(stage_names=("load",), current_stage=0, beside=(replace(record, **changes),))
        self.suites.create(run, idempotency=None)

    def change(self, **changes: Any) -> Run:
        return self.suites.save(replace(self.suites.get(RUN), **changes))

    def end(self) -> None:
        self.suites.save(beside.ended(self.suites.get(RUN), 0, now=self.clock.now()))

    def start(
        self,
        team: str,
        name: str,
        *,
        parameters: Mapping[str, Scalar],
        actor: Actor,
        trigger: str | None,
        idempotency_key: str | None,
        parent_run: str | None,
    ) -> tuple[ExperimentRun, bool]:
        if self.fault is not None:
            raise self.fault
        assert (team, name, dict(parameters)) == ("demo", "slow-payments", {"latency": 800})
        assert trigger == f"{RUN}, stage 'load'"
        self.started.append((idempotency_key, actor))
        run, _ = self.runs.create(make_experiment_run(parent_run=parent_run), idempotency=None)
        if self.ends_meanwhile:
            self.end()
        return run, True

    def abort(self, run: ExperimentRun, *, cause: AbortCause, reason: str, by: str) -> ExperimentRun:
        stored = self.runs.get(run.run_id)
        told = Abort(cause=cause, reason=reason, by=by, at=self.clock.now())
        return self.runs.save(replace(stored, abort=told))

    @property
    def record(self) -> Beside:
        [found] = self.suites.get(RUN).beside
        return found


@pytest.fixture
def world() -> World:
    return World()


def test_a_stage_that_has_begun_gets_its_experiment_once_for_whoever_submitted_the_run(world: World) -> None:
    world.begin()
    world.accompany(RUN)
    world.accompany(RUN)
    [(key, actor)] = world.started
    assert key == f"stage/{RUN}/1/0"
    assert (actor.subject, actor.teams, actor.roles) == ("ada", ("demo",), (Role.RUNNER,))
    assert (world.record.experiment_run, world.record.state) == (exp_id(), RunState.SCHEDULED)
    assert world.runs.get(exp_id()).parent_run == RUN


def test_nothing_starts_before_its_delay_or_after_the_stage_or_for_a_cancelled_run(world: World) -> None:
    world.begin(after_seconds=5)
    world.accompany(RUN)
    world.clock.advance(5)
    world.change(cancel_requested_at=START)
    world.accompany(RUN)
    world.change(cancel_requested_at=None)
    world.end()
    world.accompany(RUN)
    assert world.started == []


def test_the_end_of_the_stage_stops_the_experiment(world: World) -> None:
    world.begin()
    world.accompany(RUN)
    world.end()
    world.accompany(RUN)
    abort = world.runs.get(exp_id()).abort
    assert abort is not None
    assert (abort.cause, abort.reason) == (AbortCause.SUITE_ENDED, f"stage 'load' of {RUN} is over")
    assert world.record.reason == abort.reason


def test_a_stage_that_ends_while_its_experiment_is_started_stops_it_at_once(world: World) -> None:
    world.begin()
    world.ends_meanwhile = True
    world.accompany(RUN)
    assert world.runs.get(exp_id()).abort is not None


@pytest.mark.parametrize(
    "changes", [{"cancel_requested_at": START}, {"state": SuiteRunState.FINISHED, "finished_at": START}]
)
def test_a_cancelled_or_finished_run_stops_it_though_no_stage_was_closed(
    world: World, changes: dict[str, Any]
) -> None:
    world.begin()
    world.accompany(RUN)
    world.change(**changes)
    world.accompany(RUN)
    assert world.runs.get(exp_id()).abort is not None


def test_what_cannot_be_started_is_told_with_its_reason_and_not_tried_again(world: World) -> None:
    world.begin()
    world.fault = ConflictError("everything is halted by ada")
    world.accompany(RUN)
    world.fault = None
    world.accompany(RUN)
    assert (world.started, world.record.refused) == ([], True)
    assert world.record.reason == "everything is halted by ada"


def test_a_fault_of_infrastructure_is_tried_again(world: World) -> None:
    world.begin()
    world.fault = DependencyError("DynamoDB does not answer")
    event = _moved()
    assert world.accompany.all([event]) == [0]
    world.fault = None
    assert world.accompany.all([event]) == []
    assert len(world.started) == 1


def test_the_run_is_told_when_faults_were_in_and_what_they_showed(world: World) -> None:
    world.begin()
    world.accompany(RUN)
    run = world.runs.get(exp_id())
    fault = make_injection(targets=(make_target(),))
    world.runs.plan_injections(run, [fault], [make_hold()])
    [planned] = world.runs.injections(exp_id())
    active = world.runs.save_injection(replace(planned, state=FaultState.ACTIVE, injected_at=START))
    world.accompany(RUN)
    assert (world.record.injected_at, world.record.removed_at) == (START, None)
    world.runs.save_injection(replace(active, state=FaultState.REMOVED, removed_at=LATER))
    run = world.runs.get(exp_id())
    ended = replace(run, state=RunState.ANALYZED, verdict=ExperimentVerdict.HELD, reason="It held.")
    world.runs.save(ended)
    world.accompany(RUN)
    told = world.record
    assert (told.injected_at, told.removed_at, told.reason) == (START, LATER, "It held.")
    assert (told.state, told.verdict) == (RunState.ANALYZED, ExperimentVerdict.HELD)


def test_what_was_read_before_the_verdict_and_comes_after_it_changes_nothing(world: World) -> None:
    world.begin(experiment_run=exp_id())
    suites = world.accompany.suites
    [read_before] = suites.stages(RUN)
    judged = replace(world.record, state=RunState.ANALYZED, verdict=ExperimentVerdict.HELD)
    world.change(beside=(judged,))
    late = BesideNews(
        experiment_run=exp_id(),
        state=RunState.RECOVERY,
        verdict=None,
        reason=None,
        injected_at=None,
        removed_at=None,
    )
    suites.tell(read_before, late)
    assert world.record.state is RunState.ANALYZED


def test_only_events_of_runs_with_a_suite_matter() -> None:
    assert accompanied(_moved()) == RUN
    assert accompanied(_finished(parent_run=RUN)) == RUN
    assert accompanied(_finished(parent_run=None)) is None


def test_an_experiment_that_is_unknown_unapproved_or_has_other_parameters_is_named_at_submission() -> None:
    store = MemoryExperimentStore()
    known = StoredExperiments(store)
    [unknown] = known.faults("demo", "slow-payments", {})
    assert (unknown.path, unknown.message) == ("experiment", "team 'demo' has no experiment 'slow-payments'")
    made = make_experiment(version=0)
    draft = store.save(replace(made, revision=replace(made.revision, state=RevisionState.DRAFT)))
    [unapproved] = known.faults("demo", "slow-payments", {})
    assert unapproved.message == "'slow-payments' is not approved as it is now"
    store.save(replace(draft, revision=replace(draft.revision, state=RevisionState.APPROVED)))
    assert known.faults("demo", "slow-payments", {}) == ()
    assert [each.path for each in known.faults("demo", "slow-payments", {"nope": 1})] == ["parameters.nope"]
    assert UnknownExperiments().faults("demo", "nope", {}) == ()


def _moved() -> DomainEvent:
    moved = StageMoved(
        run_id=RUN, team="demo", suite="shop", stage="load", to_state="began", experiment="slow-payments"
    )
    return DomainEvent(
        id="moved", type="runs.stage.moved.v1", occurred_at=to_iso(START), team="demo", detail=moved
    )


def _finished(*, parent_run: str | None) -> DomainEvent:
    finished = ExperimentFinished(
        run_id=exp_id(),
        experiment="slow-payments",
        team="demo",
        environment="staging",
        revision=1,
        verdict="held",
        reason="It held.",
        finished_at=to_iso(LATER),
        actor="ada",
        parent_run=parent_run,
    )
    return DomainEvent(
        id="finished",
        type="chaos.experiment.finished.v1",
        occurred_at=to_iso(LATER),
        team="demo",
        detail=finished,
    )
