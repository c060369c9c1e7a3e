"""ListFlaky, GetTestHistory and the quarantine's use cases."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.history import FlakyState, PutQuarantineRequest, QuarantineMode, TestView
from crosswind.contracts.permissions import Guard
from crosswind.kernel.clock import to_iso
from crosswind.kernel.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from crosswind.platform.access import decide
from crosswind.runs.history.model import JobKey, Observation
from crosswind.runs.history.quarantine import MOST_KEPT_PER_SUITE, MOST_PER_SUITE
from crosswind.runs.identity import case_id
from crosswind.runs.usecases.quarantining import DeleteQuarantine, ListQuarantines, PutQuarantine
from crosswind.runs.usecases.reading_history import GetTestHistory, ListFlaky
from tests.fakes import START, SettableClock
from tests.fakes.history import MemoryHistoryStore, MemoryQuarantineStore
from tests.fakes.samples import run_id
from tests.unit.runs.history.samples import quarantine, runs, seen

JOB = JobKey("demo", "shop", "api")
FIREFOX = JobKey("demo", "shop", "api", "browser=firefox")
EDITOR = Actor(subject="ada", issuer="i", teams=("demo",), roles=(Role.EDITOR,))
VIEWER = Actor(subject="eve", issuer="i", teams=("demo",), roles=(Role.VIEWER,))
STRANGER = Actor(subject="mallory", issuer="i", teams=("other",), roles=(Role.EDITOR,))


@dataclass
class World:
    history: MemoryHistoryStore = field(default_factory=MemoryHistoryStore)
    quarantines: MemoryQuarantineStore = field(default_factory=MemoryQuarantineStore)
    clock: SettableClock = field(default_factory=SettableClock)

    def __post_init__(self) -> None:
        needs: dict[str, Any] = {
            "history": self.history,
            "quarantines": self.quarantines,
            "guard": Guard(decide),
            "clock": self.clock,
        }
        self.list_flaky = ListFlaky(**needs)
        self.get = GetTestHistory(**needs)
        self.put = PutQuarantine(**needs)
        self.list = ListQuarantines(quarantines=self.quarantines, guard=Guard(decide), clock=self.clock)
        self.delete = DeleteQuarantine(quarantines=self.quarantines, guard=Guard(decide))

    def tell(self, name: str, observations: list[Observation], job: JobKey = JOB) -> str:
        identity = case_id(team=job.team, suite=job.suite, test=job.test, variant=job.variant, name=name)
        for each in observations:
            self.history.record(job, {identity: (name, each)}, now=each.at)
            self.clock.set(max(self.clock.now(), each.at))
        return identity

    def flaky(self, suite: str | None = None, actor: Actor = VIEWER) -> tuple[TestView, ...]:
        return self.list_flaky(team=None, suite=suite, actor=actor).items


@pytest.fixture
def world() -> World:
    return World()


def request(**changes: Any) -> PutQuarantineRequest:
    values: dict[str, Any] = {
        "suite": "shop",
        "test": "api",
        "name": "t.py::a",
        "owner": "ada",
        "reason": "times out on Mondays",
        "expires_at": to_iso(START + timedelta(days=14)),
    }
    return PutQuarantineRequest(**{**values, **changes})


def test_flaky_tests_are_listed_the_likeliest_to_fail_by_chance_first(world: World) -> None:
    world.tell("well", runs("pppp"))
    world.tell("broken", runs("f" * 12))
    identity = world.tell("flaky", runs("pplp"))
    first, second = world.flaky()
    assert (first.id, first.name, first.state, first.outcomes) == (
        identity,
        "flaky",
        FlakyState.FLAKY,
        "pplp",
    )
    assert (first.failure_rate, first.flaky_odds, first.median_seconds) == (0.0, 0.55, 1.0)
    assert first.reason == f"It failed and then passed in {run_id(2)}."
    assert (second.name, second.state) == ("broken", FlakyState.BROKEN)


def test_a_test_that_recovered_by_time_is_not_listed(world: World) -> None:
    world.tell("a", runs("l"))
    world.clock.advance(timedelta(days=8))
    assert world.flaky() == ()


def test_flaky_tests_of_one_suite(world: World) -> None:
    world.tell("a", runs("l"))
    assert not world.flaky("web")
    assert len(world.flaky("shop")) == 1


def test_a_quarantined_flaky_test_says_so(world: World) -> None:
    world.tell("t.py::a", runs("l"))
    world.quarantines.put(quarantine())
    (test,) = world.flaky()
    assert test.quarantine is not None
    assert test.quarantine.active


def test_a_test_is_found_by_name_in_every_variant(world: World) -> None:
    world.tell("a", runs("pf"))
    world.tell("a", runs("p"), FIREFOX)
    found = world.get(team=None, suite="shop", name="a", identity=None, actor=VIEWER)
    assert [item.test.variant for item in found.items] == ["", "browser=firefox"]
    newest, oldest = found.items[0].observations
    assert (newest.outcome, newest.execution_id, newest.seconds) == ("f", run_id(1), None)
    assert (oldest.outcome, oldest.seconds, oldest.commit) == ("p", 1.0, f"{0:040x}")
    assert found.items[0].failing_since == run_id(1)


def test_a_test_is_found_by_its_id(world: World) -> None:
    identity = world.tell("a", runs("p"), FIREFOX)
    (item,) = world.get(team=None, suite="shop", name=None, identity=identity, actor=VIEWER).items
    assert item.test.name == "a"


@pytest.mark.parametrize("given", [{"name": None, "identity": None}, {"name": "a", "identity": "b"}])
def test_a_test_is_asked_for_by_one_of_name_and_id(world: World, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="either `name` or `id`"):
        world.get(team=None, suite="shop", actor=VIEWER, **given)


def test_an_unknown_test_and_one_of_another_team_are_not_found(world: World) -> None:
    world.tell("a", runs("p"))
    for name, actor in (("b", VIEWER), ("a", STRANGER)):
        with pytest.raises(NotFoundError, match="no run of suite shop of team demo has reported"):
            world.get(team="demo", suite="shop", name=name, identity=None, actor=actor)


def test_another_teams_flaky_tests_and_quarantines_are_refused(world: World) -> None:
    with pytest.raises(ForbiddenError):
        world.list_flaky(team="demo", suite=None, actor=STRANGER)
    with pytest.raises(ForbiddenError):
        world.list(team="demo", suite=None, actor=STRANGER)
    with pytest.raises(ForbiddenError):
        world.put(request(team="demo"), actor=STRANGER)
    with pytest.raises(NotFoundError):
        world.delete(team="demo", suite="shop", test="api", name="t.py::a", actor=STRANGER)


def test_a_viewer_reads_and_does_not_quarantine(world: World) -> None:
    with pytest.raises(ForbiddenError):
        world.put(request(), actor=VIEWER)
    assert world.list(team=None, suite=None, actor=VIEWER).items == ()


def test_a_quarantine_is_stored_with_who_put_it(world: World) -> None:
    answer = world.put(request(mode=QuarantineMode.SKIP, ticket="SHOP-1"), actor=EDITOR)
    assert (answer.created, answer.known) == (True, False)
    (view,) = world.list(team=None, suite="shop", actor=VIEWER).items
    assert view == answer.quarantine
    assert (view.created_by, view.created_at, view.mode, view.active) == (
        "ada",
        to_iso(START),
        QuarantineMode.SKIP,
        True,
    )


def test_the_answer_tells_whether_a_run_knows_the_test(world: World) -> None:
    world.tell("t.py::a", [seen(0, "p")], FIREFOX)
    assert world.put(request(), actor=EDITOR).known
    assert not world.put(request(test="web"), actor=EDITOR).known


def test_putting_again_changes_it(world: World) -> None:
    world.put(request(), actor=EDITOR)
    assert not world.put(request(reason="still"), actor=EDITOR).created
    assert [each.reason for each in world.quarantines.of_team("demo")] == ["still"]


@pytest.mark.parametrize(
    ("expires_at", "message"),
    [
        (to_iso(START), "is in the past"),
        (to_iso(START + timedelta(days=30, seconds=1)), "is more than 30 days ahead"),
        ("2026-02-01T00:00", "is no moment with a time zone"),
        ("next week", "is no moment with a time zone"),
    ],
)
def test_a_quarantine_ends_within_thirty_days(world: World, expires_at: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        world.put(request(expires_at=expires_at), actor=EDITOR)
    (fault,) = caught.value.errors
    assert fault.path == "expiresAt"
    assert message in fault.message
    assert fault.expected == "a moment with a time zone from now to 2026-03-02T08:00:00.000Z"


def test_an_expired_quarantine_is_listed_as_not_active(world: World) -> None:
    world.put(request(), actor=EDITOR)
    world.clock.advance(timedelta(days=14))
    (view,) = world.list(team=None, suite=None, actor=VIEWER).items
    assert not view.active


def test_a_suite_has_so_many_quarantines_at_most_and_expired_ones_do_not_count(world: World) -> None:
    for number in range(MOST_PER_SUITE):
        world.quarantines.put(quarantine(name=f"t.py::{number}"))
    with pytest.raises(ConflictError, match="200 is the most"):
        world.put(request(), actor=EDITOR)
    world.put(request(name="t.py::7"), actor=EDITOR)
    world.clock.advance(timedelta(days=14))
    later = to_iso(START + timedelta(days=20))
    assert world.put(request(expires_at=later), actor=EDITOR).created


def test_a_suite_does_not_keep_any_number_of_expired_quarantines(world: World) -> None:
    for number in range(MOST_KEPT_PER_SUITE):
        world.quarantines.put(quarantine(name=f"t.py::{number}"))
    world.clock.advance(timedelta(days=14))
    later = to_iso(START + timedelta(days=20))
    with pytest.raises(ConflictError, match="expired ones included"):
        world.put(request(expires_at=later), actor=EDITOR)
    assert not world.put(request(name="t.py::7", expires_at=later), actor=EDITOR).created


def test_a_test_taken_out_gates_again_at_once(world: World) -> None:
    world.put(request(), actor=EDITOR)
    world.delete(team=None, suite="shop", test="api", name="t.py::a", actor=EDITOR)
    assert not world.quarantines.of_team("demo")
    with pytest.raises(NotFoundError, match="is not in quarantine"):
        world.delete(team=None, suite="shop", test="api", name="t.py::a", actor=EDITOR)
