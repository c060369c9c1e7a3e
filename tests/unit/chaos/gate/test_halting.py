"""The halt switch."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.usecases.halting import HaltChaos, ReadHalt, ReleaseChaos
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.gate import HaltRequest, HaltView, ReleaseRequest
from crosswind.contracts.chaos.lifecycle import AbortCause
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, DependencyError, ForbiddenError
from crosswind.platform.access import decide
from tests.fakes import START, SettableClock
from tests.fakes.facts import MemoryFactStore, MemoryLever
from tests.unit.chaos.gate.world import make_run, person

ADMIN = person("root", Role.ADMIN)
RUNNER = person("ci", Role.RUNNER)


@dataclass
class World:
    """Runs that go on, a switch and a lever."""

    facts: MemoryFactStore = field(default_factory=MemoryFactStore)
    lever: MemoryLever | None = field(default_factory=MemoryLever)
    running: list[ExperimentRun] = field(default_factory=list)
    aborted: dict[str, str] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    switch_when_aborting: list[bool] = field(default_factory=list)

    def unfinished(self) -> Any:
        return iter(self.running)

    def abort(self, run: ExperimentRun, *, cause: AbortCause, reason: str, by: str) -> None:
        self.switch_when_aborting.append(self.facts.halt() is not None)
        if run.run_id in self.stuck:
            raise DependencyError("dynamodb is down")
        assert cause is AbortCause.HALT
        self.aborted[run.run_id] = f"{by}: {reason}"

    def halt(self, actor: Actor = RUNNER, *, lever: bool = False, seconds: float = 5) -> HaltView:
        halt = HaltChaos(
            self.facts, self, self.abort, self.lever, Guard(decide), SettableClock(), seconds=seconds
        )
        return halt(HaltRequest(reason="shop is down", safety_lever=lever), actor=actor)

    def release(self, actor: Actor = ADMIN) -> HaltView:
        return ReleaseChaos(self.facts, self.lever, Guard(decide))(
            ReleaseRequest(reason="shop is up"), actor=actor
        )

    def add(self, number: int) -> str:
        run_id = f"exp-{number:026d}"
        self.running.append(make_run(run_id=run_id))
        return run_id


@pytest.fixture
def world() -> World:
    return World()


def test_halting_turns_the_switch_on_before_it_stops_every_run(world: World) -> None:
    ids = [world.add(number) for number in range(40)]
    view = world.halt()
    assert (view.halted, view.by, view.at) == (True, "ci", to_iso(START))
    assert sorted(view.stopping) == ids
    assert world.aborted[ids[0]] == "ci: everything is halted: shop is down"
    assert world.switch_when_aborting == [True] * 40


def test_a_run_that_cannot_be_told_does_not_keep_the_others_from_stopping(world: World) -> None:
    first, second = world.add(1), world.add(2)
    world.stuck.add(first)
    assert world.halt().stopping == (second,)
    assert world.facts.halt() is not None


def test_aborts_that_take_too_long_are_left_to_the_watch(world: World) -> None:
    world.add(1)
    world.abort = lambda run, **_: time.sleep(1)  # type: ignore[method-assign]
    view = world.halt(seconds=0.1)
    assert (view.halted, view.stopping) == (True, ())


def test_the_safety_lever_is_engaged_only_where_that_is_asked(world: World) -> None:
    assert world.halt().safety_lever == "not-asked"
    assert world.lever is not None
    assert world.lever.state == "disengaged"
    assert world.halt(lever=True).safety_lever == "engaged"
    assert world.halt().safety_lever == "engaged"  # halting again forgets nothing


@pytest.mark.parametrize(
    ("answer", "told"),
    [("engaging", "engaged"), ("failed", "failed"), ("unavailable", "unavailable"), ("odd", "failed")],
)
def test_what_became_of_the_lever_is_told_and_the_halt_stands(world: World, answer: str, told: str) -> None:
    world.lever = MemoryLever(answers=answer)
    view = world.halt(lever=True)
    assert (view.halted, view.safety_lever) == (True, told)
    assert ReadHalt(world.facts, Guard(decide))(actor=RUNNER).safety_lever == told


def test_without_fis_there_is_no_lever(world: World) -> None:
    world.lever = None
    assert world.halt(lever=True).safety_lever == "unavailable"


def test_releasing_disengages_the_lever_that_the_halt_engaged(world: World) -> None:
    world.halt(lever=True)
    view = world.release()
    assert (view.halted, view.safety_lever) == (False, "disengaged")
    assert world.facts.halt() is None


def test_a_lever_that_somebody_else_engaged_is_left_alone(world: World) -> None:
    world.lever = MemoryLever("engaged")
    world.halt()
    world.release()
    assert world.lever.state == "engaged"


def test_a_lever_whose_answer_was_lost_is_disengaged_with_the_release(world: World) -> None:
    world.lever = MemoryLever("engaged", answers="unavailable")
    world.halt(lever=True)
    world.lever.answers = None
    assert world.release().safety_lever == "disengaged"
    assert world.lever.state == "disengaged"


def test_a_halt_that_dies_at_the_lever_leaves_the_word_that_it_may_be_engaged(world: World) -> None:
    class Dying(MemoryLever):
        def engage(self, reason: str) -> str:
            super().engage(reason)
            raise KeyboardInterrupt

    world.lever = Dying()
    with pytest.raises(KeyboardInterrupt):
        world.halt(lever=True)
    world.release()
    assert world.lever.state == "disengaged"


def test_a_lever_that_breaks_keeps_no_run_from_being_stopped(world: World) -> None:
    class Broken(MemoryLever):
        def engage(self, reason: str) -> str:
            raise KeyError("safetyLever")

    run_id, world.lever = world.add(1), Broken()
    view = world.halt(lever=True)
    assert (view.stopping, view.safety_lever) == ((run_id,), "failed")


@pytest.mark.parametrize("answer", ["failed", "unavailable"])
def test_all_stays_halted_while_the_lever_cannot_be_disengaged(world: World, answer: str) -> None:
    world.halt(lever=True)
    world.lever = MemoryLever("engaged", answers=answer)
    with pytest.raises(ConflictError):
        world.release()
    assert world.facts.halt() is not None


def test_releasing_what_is_not_halted_is_no_error(world: World) -> None:
    assert world.release() == HaltView(halted=False)


def test_whoever_runs_tests_may_halt_and_only_an_admin_releases(world: World) -> None:
    with pytest.raises(ForbiddenError):
        world.halt(person("vic", Role.VIEWER))
    assert world.facts.halt() is None
    world.halt()
    for role in (Role.VIEWER, Role.RUNNER, Role.EDITOR):
        with pytest.raises(ForbiddenError):
            world.release(person("eve", role))
    assert world.facts.halt() is not None


def test_somebody_without_a_team_does_nothing(world: World) -> None:
    lone = Actor(subject="x", issuer="https://issuer.example", roles=(Role.EDITOR,))
    with pytest.raises(ForbiddenError):
        world.halt(lone)
    with pytest.raises(ForbiddenError):
        ReadHalt(world.facts, Guard(decide))(actor=lone)


def test_a_switch_that_cannot_be_stored_stops_nothing_and_says_so(world: World) -> None:
    world.add(1)
    world.facts.fault = DependencyError("dynamodb is down")
    with pytest.raises(DependencyError):
        world.halt()
    assert world.aborted == {}
