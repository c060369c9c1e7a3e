"""Starting by schedule and by event: each moment and each event once, and never what an experiment itself caused."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.usecases.firing import FireDue, FireOnEvent, matches
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.lifecycle import RevisionState
from crosswind.contracts.chaos.spec import EventPattern, WhenSpec
from crosswind.contracts.events import DeploymentRecorded, DomainEvent, RunFinished
from crosswind.contracts.suites import Scalar
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, DependencyError
from tests.fakes import START, SettableClock
from tests.fakes.chaos import MemoryExperimentStore, make_experiment, make_experiment_run, make_spec


@dataclass
class Starts:
    """Remembers what was started under which key."""

    keys: list[str | None] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    fault: Exception | None = None

    def __call__(
        self,
        team: str,
        name: str,
        *,
        parameters: Mapping[str, Scalar],
        actor: Actor,
        trigger: str | None,
        idempotency_key: str | None,
    ) -> tuple[ExperimentRun, bool]:
        if self.fault is not None:
            raise self.fault
        assert trigger
        self.keys.append(idempotency_key)
        self.actors.append(actor)
        return make_experiment_run(), self.keys.count(idempotency_key) == 1


def _store(when: WhenSpec, **changes: Any) -> MemoryExperimentStore:
    """One approved experiment that starts then."""
    made = make_experiment(version=0, **changes)
    spec = make_spec().model_copy(update={"schedule": when})
    store = MemoryExperimentStore()
    store.save(replace(made, revision=replace(made.revision, state=RevisionState.APPROVED, spec=spec)))
    return store


def _finished(**changes: Any) -> DomainEvent:
    values: dict[str, Any] = {
        "run_id": "run-" + "0" * 26,
        "team": "demo",
        "suite": "shop",
        "verdict": "passed",
        "reason": "",
        "tests": 1,
        "failed": 0,
        "started_at": to_iso(START),
        "finished_at": to_iso(START),
        "actor": "ada",
    }
    detail = RunFinished(**{**values, **changes})
    return DomainEvent(id="event-1", occurred_at=to_iso(START), team="demo", detail=detail)


def test_a_due_moment_is_started_once_and_the_next_one_is_set() -> None:
    store, starts, clock = _store(WhenSpec(cron="0 * * * *"), next_start=START), Starts(), SettableClock()
    fire = FireDue(experiments=store, start=starts, clock=clock)
    clock.advance(30)
    assert fire().started == 1
    assert fire().started == 0
    (experiment,) = store.experiments.values()
    assert experiment.next_start == START + timedelta(hours=1)
    assert starts.keys == [f"schedule/{experiment.name}/{to_iso(START)}"]
    assert starts.actors[0].roles == (Role.RUNNER,)


def test_a_moment_that_was_missed_by_far_is_not_made_up_for() -> None:
    store, starts, clock = _store(WhenSpec(cron="0 * * * *"), next_start=START), Starts(), SettableClock()
    clock.advance(timedelta(minutes=11))
    assert FireDue(experiments=store, start=starts, clock=clock)().started == 0
    assert starts.keys == []
    assert next(iter(store.experiments.values())).next_start == START + timedelta(hours=1)


def test_a_start_that_has_to_wait_stays_due() -> None:
    store, clock = _store(WhenSpec(cron="0 * * * *"), next_start=START), SettableClock()
    starts = Starts(fault=DependencyError("throttled"))
    answer = FireDue(experiments=store, start=starts, clock=clock)()
    assert (answer.started, answer.faults) == (0, 1)
    assert next(iter(store.experiments.values())).next_start == START


def test_a_start_that_is_refused_is_over() -> None:
    store, clock = _store(WhenSpec(at=to_iso(START)), next_start=START), SettableClock()
    starts = Starts(fault=ConflictError("the approvals have expired"))
    assert FireDue(experiments=store, start=starts, clock=clock)().started == 0
    assert next(iter(store.experiments.values())).next_start is None


def test_an_event_that_comes_twice_is_told_by_one_key() -> None:
    when = WhenSpec(on_event=EventPattern(type="runs.run.finished.v1", suite="shop"))
    starts = Starts()
    fire = FireOnEvent(experiments=_store(when), start=starts)
    assert fire.all([_finished(), _finished()]) == []
    assert len(set(starts.keys)) == 1


def test_an_event_is_delivered_again_when_its_start_has_to_wait() -> None:
    when = WhenSpec(on_event=EventPattern(type="runs.run.finished.v1"))
    starts = Starts(fault=DependencyError("throttled"))
    assert FireOnEvent(experiments=_store(when), start=starts).all([_finished()]) == [0]


@pytest.mark.parametrize(
    ("pattern", "changes", "expected"),
    [
        ({}, {}, True),
        ({"suite": "shop"}, {}, True),
        ({"suite": "other"}, {}, False),
        ({"verdicts": ("failed",)}, {}, False),
        ({"verdicts": ("passed", "failed")}, {}, True),
        ({}, {"trigger": "experiment exp-00000000000000000000000001"}, False),
    ],
)
def test_a_run_matches_by_suite_and_verdict(
    pattern: dict[str, Any],
    changes: dict[str, Any],
    expected: bool,  # a column of the table
) -> None:
    told = EventPattern(type="runs.run.finished.v1", **pattern)
    assert matches(told, "demo", _finished(**changes)) is expected


def test_another_teams_event_never_matches() -> None:
    told = EventPattern(type="runs.run.finished.v1")
    assert not matches(told, "other", _finished())


def test_a_deployment_matches_by_service_and_environment() -> None:
    detail = DeploymentRecorded(
        team="demo", service="payments", environment="staging", version="1", actor="ci"
    )
    event = DomainEvent(
        id="event-2",
        type="platform.deployment.recorded.v1",
        occurred_at=to_iso(START),
        team="demo",
        detail=detail,
    )
    kind = "platform.deployment.recorded.v1"
    assert matches(EventPattern(type=kind, service="payments"), "demo", event)
    assert not matches(EventPattern(type=kind, environment="prod"), "demo", event)
