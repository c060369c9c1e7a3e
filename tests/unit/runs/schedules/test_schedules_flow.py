"""Schedules from their document to their runs: stored, fired, left out, replaced, missed."""

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from crosswind.contracts.actors import Actor
from crosswind.contracts.permissions import Guard
from crosswind.contracts.requests import RunState
from crosswind.contracts.schedules import FiringOutcome, Overlap
from crosswind.contracts.schedules import Schedule as ScheduleDocument
from crosswind.contracts.suites import Priority
from crosswind.kernel.errors import (
    ConflictError,
    DependencyError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from crosswind.platform.access import decide
from crosswind.runs.schedules.model import Firing, Schedule
from crosswind.runs.usecases import schedules as usecases
from crosswind.runs.usecases.firing import FireOverdue, FireSchedule, StartStoredSuite
from crosswind.runs.usecases.suites import PutSuite
from tests.fakes import START, SettableClock
from tests.fakes.schedules import MemoryAlarms, MemoryScheduleStore, make_schedule
from tests.unit.runs.suites_samples import EDITOR, RUNNER, STRANGER, VIEWER, any_suite
from tests.unit.runs.test_submitting import World as Submissions

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def no_pause(_: int) -> None:
    return


def document(**spec: Any) -> ScheduleDocument:
    return ScheduleDocument.model_validate(
        {
            "apiVersion": "crosswind.dev/v1",
            "kind": "Schedule",
            "metadata": {"name": "hourly", "team": "demo"},
            "spec": {"suite": "shop", "cron": "0 * * * *", **spec},
        }
    )


@dataclass
class World:
    """Stored suites, submissions, and what schedules need of both."""

    submissions: Submissions = field(default_factory=Submissions)
    schedules: MemoryScheduleStore = field(default_factory=MemoryScheduleStore)
    alarms: MemoryAlarms = field(default_factory=MemoryAlarms)
    clock: SettableClock = field(default_factory=SettableClock)
    cancelled: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rules = self.submissions.submit.rules
        put_suite = PutSuite(
            suites=self.submissions.suites, guard=Guard(decide), clock=self.clock, rules=rules
        )
        put_suite("shop", json.dumps(any_suite(parameters={"what": {"default": "all"}})), actor=EDITOR)
        needs: dict[str, Any] = {
            "schedules": self.schedules,
            "alarms": self.alarms,
            "guard": Guard(decide),
            "clock": self.clock,
            "pause": no_pause,
        }
        self.put = usecases.PutSchedule(suites=self.submissions.suites, **needs)
        self.pause = usecases.PauseSchedule(**needs)
        self.resume = usecases.ResumeSchedule(**needs)
        self.delete = usecases.DeleteSchedule(self.schedules, self.alarms, Guard(decide))
        self.fire = FireSchedule(
            schedules=self.schedules,
            runs=self.submissions.runs,
            start=StartStoredSuite(self.submissions.submit),
            cancel=self._cancel,
            clock=self.clock,
            pause=no_pause,
        )
        self.fire_overdue = FireOverdue(self.schedules, self.fire, self.clock)

    def _cancel(self, run_id: str, actor: Actor) -> None:
        self.cancelled.append((run_id, actor.subject))

    @property
    def stored(self) -> Schedule:
        return self.schedules.schedules["demo", "hourly"]

    def store(self, **spec: Any) -> Schedule:
        stored, _ = self.put("hourly", document(**spec), actor=EDITOR)
        return stored

    def at(self, moment: timedelta) -> Firing | None:
        """What an alarm at so much after the start comes to."""
        self.clock.set(START + moment)
        return self.fire("demo", "hourly")

    def finish_all(self) -> None:
        for run in list(self.submissions.runs.runs.values()):
            self.submissions.runs.runs[run.run_id] = replace(run, state=RunState.FINISHED)


@pytest.fixture
def world() -> World:
    return World()


def test_a_stored_schedule_has_its_alarm_and_its_next_run_is_due(world: World) -> None:
    stored = world.store()
    assert stored.due == START + HOUR
    assert world.alarms.alarms["demo", "hourly"] == stored
    assert stored.owner == EDITOR.subject


def test_an_alarm_starts_the_suite_in_the_schedules_name(world: World) -> None:
    world.store(parameters={"what": "fast"}, priority="P0")
    done = world.at(HOUR)
    assert done is not None
    assert done.run_id is not None
    run = world.submissions.runs.get(done.run_id)
    assert (run.suite, run.priority, run.parameters) == ("shop", Priority.P0, {"what": "fast"})
    assert (run.actor, run.issuer) == ("schedule:hourly", "crosswind")
    assert run.trigger == f"schedule hourly of {EDITOR.subject}, due 2026-01-31T09:00:00.000Z"
    assert world.stored.firings == (done,)


def test_an_alarm_that_rings_twice_starts_one_run(world: World) -> None:
    world.store()
    assert world.at(HOUR) is not None
    assert world.at(HOUR) is None
    assert len(world.submissions.runs.runs) == 1


def test_a_worker_that_dies_before_it_noted_the_run_leaves_it_to_the_next_and_nothing_runs_twice(
    world: World,
) -> None:
    before = world.store()
    first = world.at(HOUR)
    world.schedules.schedules["demo", "hourly"] = before  # as if it had not been noted
    again = world.at(HOUR + MINUTE)
    assert first is not None
    assert again is not None
    assert again.run_id == first.run_id
    assert len(world.submissions.runs.runs) == 1


def test_a_schedule_that_was_changed_before_its_run_was_noted_does_not_start_it_again(world: World) -> None:
    before = world.store()
    world.at(HOUR)
    world.schedules.schedules["demo", "hourly"] = replace(before, parameters={"what": "other"})
    again = world.at(HOUR + MINUTE)
    assert again is not None
    assert again.outcome is FiringOutcome.FIRED
    assert len(world.submissions.runs.runs) == 1


def test_by_default_a_run_is_left_out_while_the_last_one_goes_on(world: World) -> None:
    world.store()
    first = world.at(HOUR)
    second = world.at(2 * HOUR)
    assert first is not None
    assert second is not None
    assert second.outcome is FiringOutcome.SKIPPED
    assert first.run_id is not None
    assert first.run_id in (second.reason or "")
    world.finish_all()
    third = world.at(3 * HOUR)
    assert third is not None
    assert third.outcome is FiringOutcome.FIRED


@pytest.mark.parametrize(("overlap", "cancels"), [(Overlap.ALLOW, False), (Overlap.REPLACE, True)])
def test_runs_may_overlap_or_replace_one_another(world: World, overlap: Overlap, cancels: bool) -> None:
    world.store(overlap=overlap.value)
    first, second = world.at(HOUR), world.at(2 * HOUR)
    assert first is not None
    assert second is not None
    assert second.outcome is FiringOutcome.FIRED
    assert world.cancelled == ([(first.run_id, "schedule:hourly")] if cancels else [])


def test_a_run_whose_time_passed_too_long_ago_is_noted_as_missed(world: World) -> None:
    world.store()
    done = world.at(HOUR + 20 * MINUTE)
    assert done is not None
    assert done.outcome is FiringOutcome.MISSED
    assert not world.submissions.runs.runs
    assert world.stored.due == START + 2 * HOUR


def test_a_suite_that_is_gone_is_an_outcome_with_its_reason(world: World) -> None:
    world.store()
    world.submissions.suites.delete("demo", "shop")
    done = world.at(HOUR)
    assert done is not None
    assert done.outcome is FiringOutcome.FAILED
    assert "no suite shop" in (done.reason or "")
    assert world.stored.due == START + 2 * HOUR


def test_a_full_queue_leaves_the_run_due_for_the_next_try(world: World) -> None:
    world.store()
    full = replace(world.submissions.submit, queue_limit=0)
    world.clock.set(START + HOUR)
    with pytest.raises(DependencyError):
        replace(world.fire, start=StartStoredSuite(full))("demo", "hourly")
    assert world.stored.due == START + HOUR
    done = world.at(HOUR + MINUTE)
    assert done is not None
    assert done.outcome is FiringOutcome.FIRED


def test_the_backstop_starts_what_alarms_left_over_and_leaves_them_their_time(world: World) -> None:
    world.store()
    world.clock.set(START + HOUR + timedelta(seconds=30))
    assert world.fire_overdue().dealt_with == 0
    world.clock.set(START + HOUR + timedelta(seconds=61))
    assert world.fire_overdue().dealt_with == 1
    assert world.fire_overdue().dealt_with == 0
    assert len(world.submissions.runs.runs) == 1


@pytest.mark.parametrize("fault", [DependencyError("throttled"), KeyError("nobody foresaw this")])
def test_one_schedules_fault_does_not_keep_the_others_waiting(world: World, fault: Exception) -> None:
    world.store()
    world.schedules.save(make_schedule(name="another", due=START + HOUR + MINUTE))

    class Broken(MemoryScheduleStore):
        def find(self, team: str, name: str) -> Schedule | None:
            if name == "hourly":
                raise fault
            return world.schedules.find(team, name)

    broken = Broken()
    broken.schedules = world.schedules.schedules
    world.clock.set(START + HOUR + 3 * MINUTE)
    done = FireOverdue(broken, replace(world.fire, schedules=broken), world.clock)()
    assert (done.dealt_with, done.faults) == (1, 1)


def test_a_paused_schedule_starts_nothing_and_stays_paused_when_it_is_replaced(world: World) -> None:
    world.store()
    world.pause("hourly", team="demo", actor=EDITOR)
    assert world.alarms.alarms == {}
    world.store(cron="30 * * * *")
    assert world.at(9 * HOUR) is None
    resumed = world.resume("hourly", team="demo", actor=EDITOR)
    assert resumed.due == START + 9 * HOUR + 30 * MINUTE
    assert ("demo", "hourly") in world.alarms.alarms


def test_replacing_a_schedule_keeps_what_it_was_due_and_did(world: World) -> None:
    world.store()
    world.at(HOUR)
    world.clock.set(START + 2 * HOUR + MINUTE)  # a run is due and its alarm has not rung yet
    stored = world.store(parameters={"what": "fast"})
    assert stored.due == START + 2 * HOUR
    assert stored.firings
    assert world.store(cron="15 * * * *").due == START + 2 * HOUR + 15 * MINUTE


def test_a_deleted_schedule_fires_no_more(world: World) -> None:
    world.store()
    world.delete("hourly", team="demo", actor=EDITOR)
    assert world.alarms.alarms == {}
    assert world.at(HOUR) is None
    with pytest.raises(NotFoundError):
        world.delete("hourly", team="demo", actor=EDITOR)


def test_a_schedule_whose_alarm_cannot_be_set_is_stored_and_the_caller_hears_of_it(world: World) -> None:
    world.alarms.fault = DependencyError("scheduler does not answer")
    with pytest.raises(DependencyError):
        world.store()
    world.clock.set(START + HOUR + 2 * MINUTE)
    assert world.fire_overdue().dealt_with == 1


def test_only_editors_of_the_team_write_schedules(world: World) -> None:
    for actor in (VIEWER, RUNNER, STRANGER):
        with pytest.raises(ForbiddenError):
            world.put("hourly", document(), actor=actor)
    world.store()
    with pytest.raises(NotFoundError):
        world.pause("hourly", team="demo", actor=STRANGER)


def test_a_schedule_under_another_name_or_of_an_unknown_suite_is_refused(world: World) -> None:
    with pytest.raises(InvalidInputError):
        world.put("daily", document(), actor=EDITOR)
    with pytest.raises(NotFoundError):
        world.put("hourly", document(suite="absent"), actor=EDITOR)


def test_a_team_has_so_many_schedules_and_no_more(world: World) -> None:
    for number in range(200):
        world.schedules.save(make_schedule(name=f"s{number}"))
    with pytest.raises(ConflictError):
        world.store()
