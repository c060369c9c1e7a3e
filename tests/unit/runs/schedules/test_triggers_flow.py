"""Triggers: which events start which suites, once, and never in circles."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from crosswind.contracts.actors import Actor
from crosswind.contracts.events import DomainEvent, RunFinished
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import SubmitRunRequest
from crosswind.contracts.schedules import FiringOutcome, RecordDeploymentRequest
from crosswind.contracts.schedules import Trigger as TriggerDocument
from crosswind.kernel.errors import ConflictError, DependencyError, ForbiddenError, InvalidInputError
from crosswind.platform.access import decide
from crosswind.runs.schedules.model import Origin
from crosswind.runs.usecases.firing import FireTriggers, Started, StartStoredSuite
from crosswind.runs.usecases.suites import PutSuite
from crosswind.runs.usecases.triggers import DeleteTrigger, PutTrigger, RecordDeployment
from tests.fakes import CountingIds, MemoryEventBus, SettableClock, make_event
from tests.fakes.schedules import MemoryDeployments, MemoryGateFacts, MemoryTriggerStore
from tests.unit.runs.suites_samples import EDITOR, RUNNER, STRANGER, VIEWER, any_suite
from tests.unit.runs.test_submitting import World as Submissions

RUN_FINISHED = {"type": "runs.run.finished.v1"}
DEPLOYED = {"type": "platform.deployment.recorded.v1"}


def document(on: dict[str, Any], name: str = "smoke-it", **spec: Any) -> TriggerDocument:
    return TriggerDocument.model_validate(
        {
            "apiVersion": "crosswind.dev/v1",
            "kind": "Trigger",
            "metadata": {"name": name, "team": "demo"},
            "spec": {"on": on, "suite": "smoke", **spec},
        }
    )


def finished(number: int = 1, **detail: Any) -> DomainEvent:
    event = make_event(number)
    assert isinstance(event.detail, RunFinished)
    return event.model_copy(update={"detail": event.detail.model_copy(update=detail)})


@dataclass
class World:
    """Stored suites, submissions, triggers and deployments."""

    submissions: Submissions = field(default_factory=Submissions)
    triggers: MemoryTriggerStore = field(default_factory=MemoryTriggerStore)
    bus: MemoryEventBus = field(default_factory=MemoryEventBus)
    gate: MemoryGateFacts = field(default_factory=MemoryGateFacts)

    def __post_init__(self) -> None:
        clock = SettableClock()
        rules = self.submissions.submit.rules
        put_suite = PutSuite(suites=self.submissions.suites, guard=Guard(decide), clock=clock, rules=rules)
        suite = any_suite(parameters={"version": {"default": "none"}})
        suite["metadata"]["name"] = "smoke"
        put_suite("smoke", json.dumps(suite), actor=EDITOR)
        self.put = PutTrigger(self.triggers, self.submissions.suites, Guard(decide), clock)
        self.delete = DeleteTrigger(self.triggers, Guard(decide))
        self.fire = FireTriggers(self.triggers, StartStoredSuite(self.submissions.submit), clock)
        self.record = RecordDeployment(
            deployments=MemoryDeployments(self.submissions.runs.outbox),
            gate=self.gate,
            runs=self.submissions.runs,
            bus=self.bus,
            guard=Guard(decide),
            clock=clock,
            ids=CountingIds(),
        )

    def store(self, on: dict[str, Any], **spec: Any) -> None:
        self.put("smoke-it", document(on, **spec), actor=EDITOR)

    @property
    def started(self) -> int:
        return len(self.submissions.runs.runs)

    @property
    def last(self) -> tuple[FiringOutcome, str | None]:
        found = self.triggers.triggers["demo", "smoke-it"].last
        assert found is not None
        return found.outcome, found.reason


@pytest.fixture
def world() -> World:
    return World()


def deployed(version: str = "1.2.3") -> RecordDeploymentRequest:
    return RecordDeploymentRequest(team="demo", service="shop", environment="staging", version=version)


@pytest.mark.parametrize(
    ("on", "starts"),
    [
        ({}, True),
        ({"suite": "shop"}, True),
        ({"suite": "other"}, False),
        ({"verdicts": ["passed"]}, True),
        ({"verdicts": ["failed", "error"]}, False),
        ({"suite": "shop", "verdicts": ["passed", "failed"]}, True),
    ],
)
def test_a_finished_run_starts_what_waits_for_it(world: World, on: dict[str, Any], starts: bool) -> None:
    world.store(RUN_FINISHED | on)
    assert world.fire(finished()) == int(starts)
    assert world.started == int(starts)


def test_the_started_run_says_what_started_it(world: World) -> None:
    world.store(RUN_FINISHED)
    event = finished(chain=("build",))
    world.fire(event)
    (run,) = world.submissions.runs.runs.values()
    assert (run.actor, run.trigger) == (
        "trigger:smoke-it",
        f"trigger smoke-it of {EDITOR.subject}, event {event.id}",
    )
    assert run.chain == ("build", "shop")


def test_an_event_that_comes_twice_starts_one_run(world: World) -> None:
    world.store(RUN_FINISHED)
    world.fire(finished())
    world.fire(finished())
    assert world.started == 1
    world.fire(finished(2))
    assert world.started == 2


def test_a_suite_does_not_start_itself_directly_or_through_others(world: World) -> None:
    world.store(RUN_FINISHED)
    world.fire(finished(suite="smoke"))
    outcome, reason = world.last
    assert outcome is FiringOutcome.SKIPPED
    assert "smoke → smoke" in (reason or "")
    world.fire(finished(2, suite="build", chain=("smoke", "shop")))
    assert world.started == 0


def test_a_suite_that_may_start_itself_does_so_five_times(world: World) -> None:
    world.store(RUN_FINISHED, allowRepeat=True)
    event = finished(suite="smoke")
    for number in range(2, 12):
        world.fire(event)
        newest = max(world.submissions.runs.runs.values(), key=lambda run: run.run_id)
        event = finished(number, suite="smoke", chain=newest.chain)
    assert world.started == 5
    assert world.last[0] is FiringOutcome.SKIPPED


def test_events_of_other_teams_and_paused_triggers_start_nothing(world: World) -> None:
    world.store(RUN_FINISHED)
    world.fire(finished().model_copy(update={"team": "other"}))
    world.store(RUN_FINISHED, paused=True)
    world.fire(finished())
    assert world.started == 0


def test_a_deployment_starts_a_suite_with_its_version_as_a_parameter(world: World) -> None:
    on = DEPLOYED | {"service": "shop", "environment": "staging"}
    world.store(on, parameters={"version": "v${{ event.version }}${{event.commit}}"})
    event, created = world.record(deployed(), actor=RUNNER)
    assert created
    assert world.bus.published == [event]
    assert world.submissions.runs.outbox == {}
    world.fire(event)
    (run,) = world.submissions.runs.runs.values()
    assert run.parameters == {"version": "v1.2.3"}


def test_a_value_that_looks_like_a_reference_is_not_filled_again(world: World) -> None:
    world.store(DEPLOYED, parameters={"version": "${{ event.version }}"})
    event, _ = world.record(deployed("${{ event.commit }}"), actor=RUNNER)
    world.fire(event)
    (run,) = world.submissions.runs.runs.values()
    assert run.parameters == {"version": "${{ event.commit }}"}


def test_a_deployment_that_is_told_twice_is_one(world: World) -> None:
    first, created = world.record(deployed(), actor=RUNNER, idempotency_key="k")
    again, repeated = world.record(deployed(), actor=RUNNER, idempotency_key="k")
    assert (first.id, created, repeated) == (again.id, True, False)
    assert len(world.bus.published) == 1


def test_a_key_that_was_used_for_another_deployment_is_a_conflict(world: World) -> None:
    world.record(deployed(), actor=RUNNER, idempotency_key="k")
    with pytest.raises(ConflictError):
        world.record(deployed("1.2.4"), actor=RUNNER, idempotency_key="k")


def test_the_safety_gate_knows_of_every_deployment_that_was_accepted(world: World) -> None:
    event, _ = world.record(deployed(), actor=RUNNER)
    assert world.gate.told == {event.id: event}
    world.record(deployed(), actor=RUNNER, idempotency_key="k")
    with pytest.raises(ConflictError):
        world.record(deployed("1.2.4"), actor=RUNNER, idempotency_key="k")
    assert len(world.gate.told) == 2


def test_a_deployment_that_the_gate_could_not_be_told_of_is_not_accepted_until_it_is(world: World) -> None:
    world.gate.fault = DependencyError("throttled")
    with pytest.raises(DependencyError):
        world.record(deployed(), actor=RUNNER, idempotency_key="k")
    world.gate.fault = None
    event, created = world.record(deployed(), actor=RUNNER, idempotency_key="k")
    assert not created
    assert set(world.gate.told) == {event.id}


@dataclass(frozen=True)
class Faulty(StartStoredSuite):
    """Starts suites, but not for one trigger."""

    subject: str = "trigger:first"
    fault: Exception = field(default_factory=lambda: DependencyError("throttled"))

    def __call__(
        self, request: SubmitRunRequest, *, actor: Actor, origin: Origin, idempotency_key: str
    ) -> Started:
        if actor.subject == self.subject:
            raise self.fault
        return super().__call__(request, actor=actor, origin=origin, idempotency_key=idempotency_key)


def test_a_trigger_that_has_to_wait_keeps_no_other_waiting(world: World) -> None:
    world.store(RUN_FINISHED)
    world.put("first", document(RUN_FINISHED, name="first"), actor=EDITOR)
    fire = replace(world.fire, start=Faulty(world.submissions.submit))
    assert fire.all([finished()]) == [0]
    assert world.last == (FiringOutcome.FIRED, None)


def test_an_event_with_a_fault_that_nobody_foresaw_costs_the_others_of_its_batch_nothing(
    world: World,
) -> None:
    world.store(RUN_FINISHED | {"suite": "shop"})
    world.put("first", document(RUN_FINISHED | {"suite": "other"}, name="first"), actor=EDITOR)
    fire = replace(world.fire, start=Faulty(world.submissions.submit, fault=KeyError("surprise")))
    assert fire.all([finished(1, suite="other"), finished(2)]) == [0]
    assert world.started == 1


def test_nobody_can_use_up_the_key_of_a_trigger(world: World) -> None:
    world.store(RUN_FINISHED)
    request = SubmitRunRequest(suite="smoke", team="demo")
    world.submissions.submit(request, actor=RUNNER, idempotency_key=f"trigger/smoke-it/{finished().id}")
    world.fire(finished())
    assert world.started == 2
    assert world.last == (FiringOutcome.FIRED, None)


def test_an_event_that_cannot_be_sent_waits_in_the_outbox(world: World) -> None:
    world.bus.fault = DependencyError("throttled")
    event, created = world.record(deployed(), actor=RUNNER)
    assert created
    assert list(world.submissions.runs.unsent_events()) == [event]


def test_a_fault_of_ours_lets_the_event_come_again_and_one_of_the_suite_does_not(world: World) -> None:
    world.store(RUN_FINISHED)
    full = replace(world.fire, start=StartStoredSuite(replace(world.submissions.submit, queue_limit=0)))
    assert full.all([finished()]) == [0]
    world.submissions.suites.delete("demo", "smoke")
    assert world.fire.all([finished()]) == []
    assert world.last[0] is FiringOutcome.FAILED


@pytest.mark.parametrize(
    ("on", "spec", "path"),
    [
        (RUN_FINISHED | {"service": "shop"}, {}, "spec.on.service"),
        (DEPLOYED | {"verdicts": ["passed"]}, {}, "spec.on.verdicts"),
        (DEPLOYED, {"parameters": {"version": "${{ event.suite }}"}}, "spec.parameters.version"),
        (DEPLOYED, {"parameters": {"version": "${{ event.version"}}, "spec.parameters.version"),
    ],
)
def test_a_trigger_that_asks_for_what_its_event_has_not_is_refused(
    world: World, on: dict[str, Any], spec: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        world.store(on, **spec)
    assert [fault.path for fault in caught.value.errors] == [path]


def test_who_may_write_triggers_and_record_deployments(world: World) -> None:
    with pytest.raises(ForbiddenError):
        world.put("smoke-it", document(RUN_FINISHED), actor=RUNNER)
    for actor in (VIEWER, STRANGER):
        with pytest.raises(ForbiddenError):
            world.record(deployed(), actor=actor)
