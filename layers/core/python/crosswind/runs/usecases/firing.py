"""Starting runs that nobody submits by hand: what schedules make due, and what events trigger."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.events import DomainEvent
from crosswind.contracts.requests import RunState, SubmitRunRequest
from crosswind.contracts.schedules import FiringOutcome, Overlap
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import (
    ConflictError,
    DependencyError,
    InvalidInputError,
    NotFoundError,
    QueueFullError,
    RetryableError,
    TerminalError,
)
from crosswind.kernel.retry import Pause, retry_conflicts
from crosswind.runs.model import Run
from crosswind.runs.ports import RunStore
from crosswind.runs.schedules import firing, triggering
from crosswind.runs.schedules.firing import Due
from crosswind.runs.schedules.model import Firing, Origin, Schedule, Trigger, TriggerFiring
from crosswind.runs.schedules.ports import ScheduleStore, TriggerStore
from crosswind.runs.schedules.triggering import Match
from crosswind.runs.usecases.submitting import SubmitRun

MACHINE_ISSUER = "crosswind"
OVERDUE_A_ROUND = 100
TIME_FOR_A_ROUND = timedelta(seconds=45)  # the next round comes a minute after this one
_REASON_CHARACTERS = 500

_log = logging.getLogger(__name__)

Cancel = Callable[[str, Actor], object]


@dataclass(frozen=True, slots=True)
class Started:
    """What became of an attempt to start a run."""

    outcome: FiringOutcome
    reason: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class StartStoredSuite:
    """Submit a stored suite in the name of a machine. A fault of the suite is an outcome, one of ours is raised."""

    submit: SubmitRun

    def __call__(
        self, request: SubmitRunRequest, *, actor: Actor, origin: Origin, idempotency_key: str
    ) -> Started:
        """Repeating it with the same key starts nothing more.

        Raises RetryableError where a later try may succeed, also for a full queue.
        """
        try:
            run, _ = self.submit(request, actor=actor, idempotency_key=idempotency_key, origin=origin)
        except QueueFullError as error:
            raise DependencyError(str(error)) from error
        except ConflictError:
            # The first try came through, then the document was changed before it was noted.
            return Started(FiringOutcome.FIRED, "It was started as it was before it was changed.")
        except TerminalError as error:
            return Started(FiringOutcome.FAILED, _sentence(error))
        return Started(FiringOutcome.FIRED, run_id=run.run_id)


@dataclass(frozen=True)
class FireSchedule:
    """Deal with a schedule's due run. Whoever asks, and however often: each due run is dealt with once.

    The run is submitted under a key made of schedule and moment, then the schedule is moved on by compare-and-set. A
    worker that dies between the two leaves the run due; the next one submits the same run, which starts nothing.
    """

    schedules: ScheduleStore
    runs: RunStore
    start: StartStoredSuite
    cancel: Cancel
    clock: Clock
    pause: Pause

    def __call__(self, team: str, name: str, *, overdue_only: bool = False) -> Firing | None:
        """What became of it; None where nothing is due. Raises RetryableError."""
        return retry_conflicts(lambda: self._fire(team, name, overdue_only=overdue_only), pause=self.pause)

    def _fire(self, team: str, name: str, *, overdue_only: bool) -> Firing | None:
        schedule = self.schedules.find(team, name)
        now = self.clock.now()
        if schedule is None or (overdue_only and not firing.is_overdue(schedule, now=now)):
            return None
        due = firing.due_run(schedule, now=now)
        if due is None:
            return None
        started = self._deal_with(schedule, due)
        done = Firing(due.moment, now, started.outcome, started.reason, started.run_id)
        self.schedules.save(firing.dealt_with(schedule, due, done))
        _log.info("schedule %s/%s, due %s: %s", team, name, to_iso(due.moment), started.outcome.value)
        return done

    def _deal_with(self, schedule: Schedule, due: Due) -> Started:
        if due.missed is not None:
            return Started(FiringOutcome.MISSED, due.missed)
        actor = _machine(f"schedule:{schedule.name}", schedule.team)
        before = self._unfinished(schedule)
        if before is not None and schedule.overlap is Overlap.SKIP:
            return Started(FiringOutcome.SKIPPED, f"{before.run_id}, the run before, had not finished.")
        if before is not None and schedule.overlap is Overlap.REPLACE:
            self.cancel(before.run_id, actor)
        moment = to_iso(due.moment)
        return self.start(
            SubmitRunRequest(
                suite=schedule.suite,
                team=schedule.team,
                parameters=schedule.parameters,
                priority=schedule.priority,
            ),
            actor=actor,
            origin=Origin(f"schedule {schedule.name} of {schedule.owner}, due {moment}"),
            idempotency_key=f"schedule/{schedule.name}/{moment}",
        )

    def _unfinished(self, schedule: Schedule) -> Run | None:
        if schedule.last_run is None or schedule.overlap is Overlap.ALLOW:
            return None
        try:
            run = self.runs.get(schedule.last_run)
        except NotFoundError:  # expired
            return None
        return None if run.state is RunState.FINISHED else run


@dataclass(frozen=True, slots=True)
class Round:
    """What a look at all overdue schedules did."""

    dealt_with: int
    faults: int


@dataclass(frozen=True)
class FireOverdue:
    """The backstop of every minute: what alarms left over, because they were lost, late, or could not be set."""

    schedules: ScheduleStore
    fire: FireSchedule
    clock: Clock

    def __call__(self) -> Round:
        """One schedule's fault does not keep the others waiting."""
        until = self.clock.now() + TIME_FOR_A_ROUND
        dealt_with = faults = 0
        for schedule in islice(self._overdue(), OVERDUE_A_ROUND):
            if self.clock.now() >= until:
                break
            try:
                dealt_with += self.fire(schedule.team, schedule.name, overdue_only=True) is not None
            except Exception:  # noqa: BLE001  # also a fault that nobody foresaw is one schedule's own
                faults += 1
                _log.exception(
                    "schedule %s/%s is overdue and could not be fired", schedule.team, schedule.name
                )
        return Round(dealt_with, faults)

    def _overdue(self) -> Iterator[Schedule]:
        now = self.clock.now()
        due = self.schedules.due(until=now - firing.BACKSTOP_AFTER)
        return (schedule for schedule in due if firing.is_overdue(schedule, now=now))


@dataclass(frozen=True)
class FireTriggers:
    """Start what waits for an event. An event that comes twice starts nothing twice, for 24 hours."""

    triggers: TriggerStore
    start: StartStoredSuite
    clock: Clock

    def all(self, events: Sequence[DomainEvent]) -> list[int]:
        """Look at each event; the positions of those that are to be delivered again."""
        again = []
        for position, event in enumerate(events):
            try:
                self(event)
            except Exception:  # noqa: BLE001  # also a fault that nobody foresaw is one event's own
                _log.exception("event %s is to be delivered again", event.id)
                again.append(position)
        return again

    def __call__(self, event: DomainEvent) -> int:
        """How many triggers it matched. Raises RetryableError: the event is then to be delivered again.

        One trigger that has to wait keeps none of the others waiting.
        """
        matched = 0
        later: RetryableError | None = None
        for trigger in self.triggers.of_team(event.team):
            found = triggering.match(trigger, event)
            if found is None:
                continue
            matched += 1
            try:
                self._deal_with(trigger, event, found)
            except RetryableError as error:
                later = error
        if later is not None:
            raise later
        return matched

    def _deal_with(self, trigger: Trigger, event: DomainEvent, found: Match) -> None:
        if found.refusal:
            started = Started(FiringOutcome.SKIPPED, found.refusal)
        else:
            started = self._start(trigger, event, found.chain)
        self._note(trigger, event, started)

    def _start(self, trigger: Trigger, event: DomainEvent, chain: tuple[str, ...]) -> Started:
        return self.start(
            SubmitRunRequest(
                suite=trigger.suite,
                team=trigger.team,
                parameters=triggering.parameters(trigger, event),
                priority=trigger.priority,
            ),
            actor=_machine(f"trigger:{trigger.name}", trigger.team),
            origin=Origin(f"trigger {trigger.name} of {trigger.owner}, event {event.id}", chain),
            idempotency_key=f"trigger/{trigger.name}/{event.id}",
        )

    def _note(self, trigger: Trigger, event: DomainEvent, started: Started) -> None:
        _log.info("trigger %s/%s, event %s: %s", trigger.team, trigger.name, event.id, started.outcome.value)
        noted = TriggerFiring(event.id, self.clock.now(), started.outcome, started.reason, started.run_id)
        self.triggers.note(trigger.team, trigger.name, noted)


def _machine(subject: str, team: str) -> Actor:
    """A schedule or trigger as an actor: it may start and cancel runs of its team, and nothing else."""
    return Actor(subject=subject, issuer=MACHINE_ISSUER, teams=(team,), roles=(Role.RUNNER,))


def _sentence(error: TerminalError) -> str:
    faults = error.errors if isinstance(error, InvalidInputError) else ()
    details = "; ".join(f"{fault.path}: {fault.message}" for fault in faults[:3])
    return f"{error}{f' ({details})' if details else ''}"[:_REASON_CHARACTERS]
