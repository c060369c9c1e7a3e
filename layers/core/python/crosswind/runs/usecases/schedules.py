"""Schedules: put, get, list, delete, pause, resume, and looking at the next runs without storing anything."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.contracts.actors import Action, Actor
from crosswind.contracts.permissions import Guard, chosen_team
from crosswind.contracts.schedules import MAX_SCHEDULES, NEXT_RUNS
from crosswind.contracts.schedules import Schedule as ScheduleDocument
from crosswind.contracts.suites import duration_seconds
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError, NotFoundError
from crosswind.kernel.paging import Page
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs.ports import DocumentStore
from crosswind.runs.schedules import firing, timing
from crosswind.runs.schedules.model import Schedule, Timing
from crosswind.runs.schedules.ports import Alarms, ScheduleStore
from crosswind.runs.usecases.storing import name_differs


@dataclass(frozen=True)
class PreviewSchedule:
    """Find every fault of a schedule, and tell its next runs."""

    guard: Guard
    clock: Clock

    def __call__(self, document: ScheduleDocument, *, actor: Actor) -> tuple[datetime, ...]:
        """The next runs. Raises InvalidInputError, ForbiddenError."""
        self.guard.require(actor, Action.READ_SCHEDULES, team=document.metadata.team)
        now = self.clock.now()
        return timing.next_runs(timing.check(document.spec, now=now), after=now, count=NEXT_RUNS)


@dataclass(frozen=True)
class PutSchedule:
    """Store or replace a schedule, and set its alarm.

    The record comes first and is the truth: where the alarm could not be set, the caller is told to try again, and
    until then the rule of every minute starts what is due.
    """

    schedules: ScheduleStore
    suites: DocumentStore
    alarms: Alarms
    guard: Guard
    clock: Clock
    pause: Pause

    def __call__(self, name: str, document: ScheduleDocument, *, actor: Actor) -> tuple[Schedule, bool]:
        """The schedule, and whether it is new. A paused one stays paused.

        Raises:
            InvalidInputError: The document has faults, or another name than the address.
            ForbiddenError: The actor may not write schedules of this team.
            NotFoundError: The team has no stored suite of that name.
            ConflictError: The team has as many schedules as it may.
        """
        team = document.metadata.team
        self.guard.require(actor, Action.WRITE_SCHEDULES, team=team)
        if document.metadata.name != name:
            raise name_differs("schedule", document.metadata.name, name)
        checked = timing.check(document.spec, now=self.clock.now())
        self.suites.get(team, document.spec.suite)
        stored, created = retry_conflicts(lambda: self._store(document, checked, actor), pause=self.pause)
        if stored.paused_at is None:
            self.alarms.set(stored, now=self.clock.now())
        return stored, created

    def _store(self, document: ScheduleDocument, checked: Timing, actor: Actor) -> tuple[Schedule, bool]:
        team, name = document.metadata.team, document.metadata.name
        earlier = self.schedules.find(team, name)
        if earlier is None and self.schedules.count(team, at_most=MAX_SCHEDULES) >= MAX_SCHEDULES:
            raise ConflictError(f"team {team} has {MAX_SCHEDULES} schedules already; delete one first")
        now, spec = self.clock.now(), document.spec
        made = Schedule(
            team=team,
            name=name,
            suite=spec.suite,
            timing=checked,
            overlap=spec.overlap,
            missed=spec.missed.policy,
            grace=timedelta(seconds=duration_seconds(spec.missed.grace)),
            owner=actor.subject,
            updated_at=now,
            version=0,
            labels=document.metadata.labels,
            parameters=spec.parameters,
            priority=spec.priority,
            due=timing.next_run(checked, after=now),
        )
        if earlier is not None:
            made = _with_history(made, earlier)
        return self.schedules.save(made), earlier is None


def _with_history(made: Schedule, earlier: Schedule) -> Schedule:
    """What a replaced schedule leaves to its successor. A run that is due and not dealt with stays due."""
    unchanged = made.timing == earlier.timing and earlier.due is not None
    return replace(
        made,
        version=earlier.version,
        due=None if earlier.paused_at else earlier.due if unchanged else made.due,
        paused_at=earlier.paused_at,
        paused_by=earlier.paused_by,
        last_run=earlier.last_run,
        firings=earlier.firings,
    )


@dataclass(frozen=True)
class GetSchedule:
    """Read one schedule."""

    schedules: ScheduleStore
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> Schedule:
        """The schedule. Raises NotFoundError, also for one of another team."""
        owner = chosen_team(actor, team)
        missing = _missing(owner, name)
        self.guard.require_for(actor, Action.READ_SCHEDULES, team=owner, missing=missing)
        found = self.schedules.find(owner, name)
        if found is None:
            raise NotFoundError(missing)
        return found


@dataclass(frozen=True)
class ListSchedules:
    """Read a team's schedules."""

    schedules: ScheduleStore
    guard: Guard

    def __call__(self, *, team: str | None, limit: int, cursor: str | None, actor: Actor) -> Page[Schedule]:
        """A page, by name. Raises ForbiddenError."""
        owner = chosen_team(actor, team)
        self.guard.require(actor, Action.READ_SCHEDULES, team=owner)
        return self.schedules.list_schedules(owner, limit=limit, cursor=cursor)


@dataclass(frozen=True)
class DeleteSchedule:
    """Delete a schedule; its runs stay. The alarm goes first: a record without one can be deleted again, not so the other way."""

    schedules: ScheduleStore
    alarms: Alarms
    guard: Guard

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> None:
        """Raises NotFoundError, ForbiddenError."""
        owner = chosen_team(actor, team)
        missing = _missing(owner, name)
        self.guard.require_for(actor, Action.WRITE_SCHEDULES, team=owner, missing=missing)
        self.alarms.clear(owner, name)
        if not self.schedules.delete(owner, name):
            raise NotFoundError(missing)


@dataclass(frozen=True)
class PauseSchedule:
    """Start no more runs; one that goes on, goes on. Repeating it is no error."""

    schedules: ScheduleStore
    alarms: Alarms
    guard: Guard
    clock: Clock
    pause: Pause

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> Schedule:
        """The paused schedule. Raises NotFoundError, ForbiddenError."""
        now = self.clock.now()
        stored = _change(self, name, team, actor, lambda each: firing.paused(each, by=actor.subject, now=now))
        self.alarms.clear(stored.team, stored.name)
        return stored


@dataclass(frozen=True)
class ResumeSchedule:
    """Go on with the next run; those of the pause are not made up for. Repeating it is no error."""

    schedules: ScheduleStore
    alarms: Alarms
    guard: Guard
    clock: Clock
    pause: Pause

    def __call__(self, name: str, *, team: str | None, actor: Actor) -> Schedule:
        """The active schedule. Raises NotFoundError, ForbiddenError."""
        now = self.clock.now()
        stored = _change(self, name, team, actor, lambda each: firing.resumed(each, now=now))
        if stored.due is not None:
            self.alarms.set(stored, now=now)
        return stored


def _change(
    needs: PauseSchedule | ResumeSchedule,
    name: str,
    team: str | None,
    actor: Actor,
    change: Callable[[Schedule], Schedule],
) -> Schedule:
    owner = chosen_team(actor, team)
    missing = _missing(owner, name)
    needs.guard.require_for(actor, Action.WRITE_SCHEDULES, team=owner, missing=missing)

    def attempt() -> Schedule:
        found = needs.schedules.find(owner, name)
        if found is None:
            raise NotFoundError(missing)
        changed = change(found)
        return found if changed is found else needs.schedules.save(changed)

    return retry_conflicts(attempt, pause=needs.pause)


def _missing(team: str, name: str) -> str:
    return f"team {team} has no schedule {name}"
