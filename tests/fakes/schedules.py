"""Schedules, triggers, deployments and alarms in memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from threading import RLock
from typing import Any, Protocol, TypeVar

from crosswind.contracts.events import DomainEvent
from crosswind.contracts.schedules import MissedPolicy, Overlap
from crosswind.kernel.errors import ConflictError, InvalidInputError, WriteConflictError
from crosswind.kernel.paging import Page
from crosswind.runs.schedules.model import Schedule, Timing, Trigger, TriggerFiring
from tests.fakes.time import START


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


class MemoryScheduleStore:
    """ScheduleStore in memory. `schedules` is open to a test that wants to look."""

    def __init__(self) -> None:
        self.schedules: dict[tuple[str, str], Schedule] = {}
        self._lock = RLock()

    def find(self, team: str, name: str) -> Schedule | None:
        return self.schedules.get((team, name))

    def save(self, schedule: Schedule) -> Schedule:
        with self._lock:
            stored = self.find(schedule.team, schedule.name)
            if (stored.version if stored else 0) != schedule.version:
                raise WriteConflictError(f"{schedule.name} was changed by another writer")
            saved = replace(schedule, version=schedule.version + 1)
            self.schedules[schedule.team, schedule.name] = saved
            return saved

    def delete(self, team: str, name: str) -> bool:
        return self.schedules.pop((team, name), None) is not None

    def list_schedules(self, team: str, *, limit: int, cursor: str | None) -> Page[Schedule]:
        return _page(self.schedules, team, limit, cursor)

    def count(self, team: str, *, at_most: int) -> int:
        return min(at_most, sum(owner == team for owner, _ in self.schedules))

    def due(self, *, until: datetime) -> Iterator[Schedule]:
        waiting = [(each.due, each) for each in self.schedules.values() if each.due and each.due < until]
        return iter([each for _, each in sorted(waiting, key=lambda pair: pair[0])])


class MemoryTriggerStore:
    """TriggerStore in memory."""

    def __init__(self) -> None:
        self.triggers: dict[tuple[str, str], Trigger] = {}

    def put(self, trigger: Trigger) -> bool:
        created = (trigger.team, trigger.name) not in self.triggers
        self.triggers[trigger.team, trigger.name] = trigger
        return created

    def find(self, team: str, name: str) -> Trigger | None:
        return self.triggers.get((team, name))

    def delete(self, team: str, name: str) -> bool:
        return self.triggers.pop((team, name), None) is not None

    def list_triggers(self, team: str, *, limit: int, cursor: str | None) -> Page[Trigger]:
        return _page(self.triggers, team, limit, cursor)

    def of_team(self, team: str) -> Iterator[Trigger]:
        return iter([self.triggers[key] for key in sorted(self.triggers) if key[0] == team])

    def note(self, team: str, name: str, firing: TriggerFiring) -> None:
        found = self.find(team, name)
        if found is not None:
            self.triggers[team, name] = replace(found, last=firing)


class MemoryDeployments:
    """Deployments in memory, whose events lie in an outbox that a test gives."""

    def __init__(self, outbox: dict[str, DomainEvent]) -> None:
        self.events: dict[str, DomainEvent] = {}
        self._outbox = outbox

    def record(self, event: DomainEvent) -> bool:
        known = self.events.get(event.id)
        if known is not None and known.detail != event.detail:
            raise ConflictError("the Idempotency-Key was used for another deployment")
        if known is not None:
            return False
        self.events[event.id] = self._outbox[event.id] = event
        return True


class MemoryGateFacts:
    """Remembers which deployments the safety gate was told of. Set `fault` to let the next calls fail."""

    def __init__(self) -> None:
        self.told: dict[str, DomainEvent] = {}
        self.fault: Exception | None = None

    def tell(self, event: DomainEvent) -> None:
        if self.fault is not None:
            raise self.fault
        self.told.setdefault(event.id, event)


class MemoryAlarms:
    """Remembers which alarms are set. Set `fault` to let the next calls fail."""

    def __init__(self) -> None:
        self.alarms: dict[tuple[str, str], Schedule] = {}
        self.fault: Exception | None = None

    def set(self, schedule: Schedule, *, now: datetime) -> None:
        if self.fault is not None:
            raise self.fault
        self.alarms[schedule.team, schedule.name] = schedule

    def clear(self, team: str, name: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.alarms.pop((team, name), None)


def make_schedule(**changes: Any) -> Schedule:
    """A schedule of suite `shop` at each full hour, not stored yet, with the run of `START` due."""
    schedule = Schedule(
        team="demo",
        name="hourly",
        suite="shop",
        timing=Timing(cron="0 * * * *", at=None, timezone="UTC"),
        overlap=Overlap.SKIP,
        missed=MissedPolicy.SKIP,
        grace=START - START,
        owner="ada",
        updated_at=START,
        version=0,
        due=START,
    )
    return replace(schedule, **changes)


def _page(stored: dict[tuple[str, str], N], team: str, limit: int, cursor: str | None) -> Page[N]:
    owner, _, after = (cursor or f"{team}/").partition("/")
    if owner != team:
        raise InvalidInputError("this cursor is not one of ours")
    names = sorted(name for each, name in stored if each == team and name > after)
    return Page(
        items=tuple(stored[team, name] for name in names[:limit]),
        cursor=f"{team}/{names[limit - 1]}" if len(names) > limit else None,
    )
