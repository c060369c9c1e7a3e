"""AskGate: sources side by side, a decision that is kept, and failures that are never a yes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.chaos.findings import Findings
from crosswind.chaos.model import DeploymentFact, Halt, Incident
from crosswind.chaos.own_evidence import DeploymentEvidence, HaltEvidence, IncidentEvidence
from crosswind.chaos.policies import Policies, version_of
from crosswind.chaos.ports import GateSource, Question, StoredPolicy
from crosswind.chaos.usecases.gating import AskGate, Asking
from crosswind.contracts.chaos.gate import (
    CheckName,
    CheckStatus,
    GateCheck,
    GateDecision,
    GateOutcome,
    Moment,
)
from crosswind.contracts.chaos.runs import TimelineKind
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import DependencyError
from tests.fakes import START, SettableClock
from tests.fakes.facts import MemoryFactStore
from tests.unit.chaos.gate.world import (
    LOCAL,
    Runs,
    count,
    make_approval,
    make_revision,
    make_run,
    make_spec,
    make_target,
    policy,
    resolved,
)


@dataclass
class Source:
    """A source that answers as it is told."""

    answer: Callable[[Question], tuple[GateCheck, ...]]
    name: str = "pagerduty"
    checks: tuple[CheckName, ...] = (CheckName.INCIDENTS,)

    def look(self, question: Question) -> tuple[GateCheck, ...]:
        return self.answer(question)


def passing(question: Question) -> tuple[GateCheck, ...]:
    findings = Findings("pagerduty", question)
    return tuple(
        findings.passed(name, "yes")
        for name in (CheckName.INCIDENTS, CheckName.ON_CALL, CheckName.DEPLOYMENTS)
    )


@dataclass
class World:
    """A gate on stores in memory."""

    facts: MemoryFactStore = field(default_factory=MemoryFactStore)
    runs: Runs = field(default_factory=Runs)
    clock: SettableClock = field(default_factory=SettableClock)
    more: list[GateSource] = field(default_factory=list)
    seconds: float = 5

    def ask(self, moment: Moment = Moment.PREFLIGHT, **changes: Any) -> GateDecision:
        own = (HaltEvidence(self.facts), IncidentEvidence(self.facts), DeploymentEvidence(self.facts))
        gate = AskGate(
            policies=Policies(self.facts, "local"),
            runs=self.runs,
            sources=(*own, *self.more),
            counting=count,
            clock=self.clock,
            seconds=self.seconds,
        )
        values: dict[str, Any] = {
            "moment": moment,
            "team": "demo",
            "experiment": "slow-payments",
            "revision": make_revision(),
            "spec": make_spec(),
            "resolved": resolved(),
            "run": make_run(),
        }
        return gate(Asking(**{**values, **changes}))

    def store_policy(self, **changes: Any) -> None:
        spec = policy(**changes)
        self.facts.put_policy(StoredPolicy("staging", version_of(spec), spec))

    def need_pagerduty(self) -> None:
        self.store_policy(pagerduty={"secret": "pagerduty"})


@pytest.fixture
def world() -> World:
    return World()


def not_passed(decision: GateDecision) -> dict[str, CheckStatus]:
    return {each.name.value: each.status for each in decision.checks if each.status is not CheckStatus.PASS}


@pytest.mark.parametrize("moment", Moment)
def test_an_approved_experiment_with_nothing_in_its_way_proceeds(world: World, moment: Moment) -> None:
    decision = world.ask(moment)
    assert decision.outcome is GateOutcome.PROCEED
    assert decision.policy_version == version_of(LOCAL)
    assert {each.name for each in decision.checks} == set(CheckName)


def test_the_decision_of_a_run_is_kept_and_told_in_its_timeline(world: World) -> None:
    decision = world.ask()
    assert world.runs.decisions == [decision]
    (line,) = world.runs.lines
    assert (line.kind, line.actor) == (TimelineKind.DECISION, "gate")
    assert line.text.startswith("preflight: proceed")


def test_a_preview_is_not_kept(world: World) -> None:
    assert world.ask(Moment.PREVIEW, run=None).outcome is GateOutcome.PROCEED
    assert (world.runs.decisions, world.runs.lines) == ([], [])


def test_while_all_is_well_the_timeline_is_not_filled(world: World) -> None:
    world.ask(Moment.RUNNING)
    assert len(world.runs.decisions) == 1
    assert world.runs.lines == []
    world.facts.set_halt(Halt("enough", "grace", START))
    world.ask(Moment.RUNNING)
    assert world.runs.lines[0].text.startswith("running: abort")


def test_a_decision_that_cannot_be_kept_is_none(world: World) -> None:
    world.runs.fault = DependencyError("dynamodb is down")
    with pytest.raises(DependencyError):
        world.ask()


def test_halted_means_abort(world: World) -> None:
    world.facts.set_halt(Halt("enough", "grace", START))
    decision = world.ask()
    assert decision.outcome is GateOutcome.ABORT
    assert "halted by grace" in decision.reason


def test_an_open_incident_postpones_before_and_aborts_while_running(world: World) -> None:
    world.facts.put_incident(
        Incident("INC-1", "other", "staging", "down", open=True, told_by="ci", told_at=START)
    )
    assert world.ask().outcome is GateOutcome.POSTPONE
    assert world.ask(Moment.STEP, step=1).outcome is GateOutcome.ABORT
    assert world.ask(Moment.RUNNING).outcome is GateOutcome.ABORT


def test_an_incident_elsewhere_is_none_here(world: World) -> None:
    world.facts.put_incident(
        Incident("INC-1", "demo", "production", "down", open=True, told_by="ci", told_at=START)
    )
    assert world.ask().outcome is GateOutcome.PROCEED


def test_a_deployment_postpones_until_it_is_long_enough_ago(world: World) -> None:
    told = START - timedelta(minutes=90)
    world.facts.put_deployment(DeploymentFact("demo", "orders", "staging", "2", "ci", told, "deploy-1"))
    decision = world.ask()
    assert (decision.outcome, decision.until) == (GateOutcome.POSTPONE, to_iso(START + timedelta(minutes=30)))
    world.clock.advance(timedelta(minutes=30, seconds=1))
    assert world.ask().outcome is GateOutcome.PROCEED


def test_another_run_on_the_same_target_postpones(world: World) -> None:
    world.runs.hold("toxiproxy:payments", "exp-other")
    assert not_passed(world.ask()) == {"overlap": CheckStatus.FAIL}


def test_targets_that_nobody_could_resolve_are_never_a_yes(world: World) -> None:
    decision = world.ask(resolved=None, unresolved="toxiproxy did not answer")
    assert decision.outcome is GateOutcome.POSTPONE
    assert set(not_passed(decision)) == {"approvals", "targets", "overlap"}


def test_a_store_that_fails_leaves_it_unknown(world: World) -> None:
    world.need_pagerduty()
    world.more = [Source(passing)]
    world.facts.policy = lambda environment: world.facts.stored_policies["staging"]  # type: ignore[method-assign]
    world.facts.fault = DependencyError("dynamodb is down")
    decision = world.ask()
    assert decision.outcome is GateOutcome.POSTPONE
    assert not_passed(decision) == dict.fromkeys(["halt", "incidents", "deployments"], CheckStatus.UNKNOWN)


def test_a_policy_that_cannot_be_read_is_never_a_yes(world: World) -> None:
    world.facts.fault = DependencyError("dynamodb is down")
    assert world.ask().outcome is GateOutcome.POSTPONE
    assert world.ask(Moment.RUNNING).outcome is GateOutcome.ABORT


def _raise(question: Question) -> tuple[GateCheck, ...]:
    raise ValueError("a bug")


def _sleep(question: Question) -> tuple[GateCheck, ...]:
    time.sleep(2)
    return passing(question)


def _stale(question: Question) -> tuple[GateCheck, ...]:
    return passing(replace(question, now=question.now - timedelta(minutes=5)))


@pytest.mark.parametrize(
    "answer",
    [_raise, _sleep, _stale, lambda question: ()],
    ids=["raises", "too slow", "stale", "says nothing"],
)
def test_a_source_that_gives_no_clear_answer_is_unknown(
    world: World, answer: Callable[[Question], tuple[GateCheck, ...]]
) -> None:
    world.need_pagerduty()
    world.more = [Source(passing)]
    assert world.ask().outcome is GateOutcome.PROCEED
    world.more, world.seconds = [Source(answer)], 0.2
    began = time.monotonic()
    decision = world.ask()
    assert decision.outcome is GateOutcome.POSTPONE
    assert not_passed(decision)["incidents"] is CheckStatus.UNKNOWN
    assert time.monotonic() - began < 1.5


def test_sources_are_asked_side_by_side(world: World) -> None:
    def slow(question: Question) -> tuple[GateCheck, ...]:
        time.sleep(0.2)
        return passing(question)

    world.more = [Source(slow) for _ in range(5)]
    began = time.monotonic()
    assert world.ask().outcome is GateOutcome.PROCEED
    assert time.monotonic() - began < 0.8


def test_the_window_reaches_to_the_run_s_deadline_or_the_spec_s_timeout(world: World) -> None:
    seen: list[Question] = []

    def look(question: Question) -> tuple[GateCheck, ...]:
        seen.append(question)
        return ()

    world.more = [Source(look)]
    world.ask()
    world.ask(run=make_run(deadline=START + timedelta(hours=3)))
    assert [each.window_end - START for each in seen] == [timedelta(minutes=10), timedelta(hours=3)]


def test_a_run_that_has_waited_long_enough_is_aborted(world: World) -> None:
    world.runs.hold("toxiproxy:payments", "exp-other")
    assert world.ask().outcome is GateOutcome.POSTPONE
    world.clock.advance(timedelta(hours=23, minutes=56))
    assert world.ask().outcome is GateOutcome.ABORT


def test_an_approval_that_expires_while_it_runs_ends_it(world: World) -> None:
    revision = make_revision(make_approval(expires_at=START + timedelta(minutes=1)))
    assert world.ask(Moment.RUNNING, revision=revision).outcome is GateOutcome.PROCEED
    world.clock.advance(60)
    assert world.ask(Moment.RUNNING, revision=revision).outcome is GateOutcome.ABORT


def test_an_edited_spec_has_no_approvals(world: World) -> None:
    revision = make_revision(spec_digest="sha256:" + "b" * 64)
    assert not_passed(world.ask(revision=revision)) == {"approvals": CheckStatus.FAIL}


def test_one_more_target_voids_the_approvals(world: World) -> None:
    spec = make_spec(blastRadius={"maxTargets": 5})
    decision = world.ask(spec=spec, resolved=resolved(make_target(), make_target("orders")))
    assert not_passed(decision) == {"approvals": CheckStatus.FAIL}
