"""What schedules and triggers are fed by."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from crosswind.contracts.events import DomainEvent
from crosswind.kernel.paging import Page
from crosswind.runs.schedules.model import Schedule, Trigger, TriggerFiring


class ScheduleStore(Protocol):
    """Stored schedules, by team and name, and which of them are due."""

    def find(self, team: str, name: str) -> Schedule | None:
        """Read consistently."""
        ...

    def save(self, schedule: Schedule) -> Schedule:
        """Write if the stored version equals `schedule.version` (0: there is none); returns it with version + 1.

        Raises WriteConflictError.
        """
        ...

    def delete(self, team: str, name: str) -> bool:
        """Whether there was one."""
        ...

    def list_schedules(self, team: str, *, limit: int, cursor: str | None) -> Page[Schedule]:
        """By name. Raises InvalidInputError for a cursor that is not ours."""
        ...

    def count(self, team: str, *, at_most: int) -> int:
        """How many a team has, counted no further than `at_most`."""
        ...

    def due(self, *, until: datetime) -> Iterator[Schedule]:
        """Those whose due run lies before a moment, the earliest first, from a sparse index (eventually consistent)."""
        ...


class TriggerStore(Protocol):
    """Stored triggers, by team and name."""

    def put(self, trigger: Trigger) -> bool:
        """Store or replace. Returns True when it did not exist before."""
        ...

    def find(self, team: str, name: str) -> Trigger | None:
        """Read consistently."""
        ...

    def delete(self, team: str, name: str) -> bool:
        """Whether there was one."""
        ...

    def list_triggers(self, team: str, *, limit: int, cursor: str | None) -> Page[Trigger]:
        """By name. Raises InvalidInputError for a cursor that is not ours."""
        ...

    def of_team(self, team: str) -> Iterator[Trigger]:
        """All of a team, by name, read consistently."""
        ...

    def note(self, team: str, name: str, firing: TriggerFiring) -> None:
        """Note what became of the last event; no error where the trigger is gone."""
        ...


class Alarms(Protocol):
    """One alarm per schedule, which calls fire_schedules at each due moment. It may ring late, twice, or not at all."""

    def set(self, schedule: Schedule, *, now: datetime) -> None:
        """Set or reset it to the schedule's timing."""
        ...

    def clear(self, team: str, name: str) -> None:
        """Take it away; no error where there is none."""
        ...


class Deployments(Protocol):
    """Records of what was deployed where."""

    def record(self, event: DomainEvent) -> bool:
        """Keep the record and put its event into the outbox, in one transaction. False: this event is known already.

        Raises ConflictError when its id belongs to a deployment of something else.
        """
        ...


class GateFacts(Protocol):
    """The safety gate of chaos experiments, which has to know of every deployment."""

    def tell(self, event: DomainEvent) -> None:
        """Let it know; the same event again changes nothing."""
        ...
