"""Runs that nobody starts by hand: what a schedule makes due, and what waits for a domain event."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Protocol

from crosswind.chaos.model import Experiment, ExperimentRun
from crosswind.chaos.ports import ExperimentStore
from crosswind.chaos.when import next_start
from crosswind.contracts.actors import Actor, Role
from crosswind.contracts.chaos.spec import EventPattern
from crosswind.contracts.chaos.tasks import StartAnswer
from crosswind.contracts.events import DeploymentRecorded, DomainEvent, RunFinished
from crosswind.contracts.suites import Scalar
from crosswind.kernel.clock import Clock, to_iso
from crosswind.kernel.errors import RetryableError, TerminalError, WriteConflictError

MACHINE_ISSUER = "crosswind"
DUE_A_ROUND = 100
TIME_FOR_A_ROUND = timedelta(seconds=40)
LATE_AT_MOST = timedelta(minutes=10)
"""A start that was missed by more, because nothing worked or it was paused, is not made up for."""

_OWN_RUNS = "exp-"

_log = logging.getLogger(__name__)


class Start(Protocol):
    """StartExperiment, by a machine."""

    def __call__(
        self,
        team: str,
        name: str,
        *,
        parameters: Mapping[str, Scalar],
        actor: Actor,
        trigger: str | None,
        idempotency_key: str | None,
    ) -> tuple[ExperimentRun, bool]: ...


@dataclass(frozen=True)
class FireDue:
    """Start what schedules make due, each moment once whoever asks and however often.

    The run is created under a key made of definition and moment, then the definition is moved on by compare-and-set: a
    worker that dies between the two leaves it due, and the next one starts nothing more.
    """

    experiments: ExperimentStore
    start: Start
    clock: Clock

    def __call__(self, team: str | None = None, name: str | None = None) -> StartAnswer:
        """Called by a rule each minute. One definition's fault keeps no other waiting."""
        until = self.clock.now() + TIME_FOR_A_ROUND
        started = faults = 0
        for experiment in islice(self._wanted(team, name), DUE_A_ROUND):
            if self.clock.now() >= until:
                break
            try:
                started += self._fire(experiment)
            except WriteConflictError:
                continue  # somebody else deals with it
            except Exception:  # noqa: BLE001  # also a fault that nobody foresaw is one definition's own
                faults += 1
                _log.exception("%s/%s is due and could not be started", experiment.team, experiment.name)
        return StartAnswer(started=started, faults=faults)

    def _wanted(self, team: str | None, name: str | None) -> Iterator[Experiment]:
        if team is not None and name is not None:
            found = self.experiments.find(team, name)
            yield from [found] if found else []
        else:
            yield from self.experiments.due(until=self.clock.now())

    def _fire(self, listed: Experiment) -> bool:
        experiment = self.experiments.find(listed.team, listed.name)
        now = self.clock.now()
        if experiment is None or experiment.next_start is None or experiment.next_start > now:
            return False
        moment = experiment.next_start
        fired = not experiment.paused and now - moment <= LATE_AT_MOST and self._start(experiment)
        approved = self.experiments.approved(experiment.team, experiment.name)
        when = approved.spec.schedule if approved else None
        following = next_start(when, after=now) if when and not experiment.paused else None
        self.experiments.save(replace(experiment, next_start=following, start_parameters={}))
        return fired

    def _start(self, experiment: Experiment) -> bool:
        moment = to_iso(experiment.next_start) if experiment.next_start else ""
        try:
            self.start(
                experiment.team,
                experiment.name,
                parameters=experiment.start_parameters,
                actor=machine("schedule", experiment),
                trigger=f"schedule, due {moment}",
                idempotency_key=f"schedule/{experiment.name}/{moment}",
            )
        except TerminalError as error:
            _log.warning("%s/%s was due and is not started: %s", experiment.team, experiment.name, error)
            return False
        return True


@dataclass(frozen=True)
class FireOnEvent:
    """Start what waits for an event. An event that comes twice starts nothing twice."""

    experiments: ExperimentStore
    start: Start

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
        """How many experiments it started. Raises RetryableError: the event is then to be delivered again."""
        started = 0
        later: RetryableError | None = None
        for experiment in self.experiments.waiting_for(event.type):
            approved = self.experiments.approved(experiment.team, experiment.name)
            pattern = approved.spec.schedule.on_event if approved and approved.spec.schedule else None
            if experiment.paused or pattern is None or not matches(pattern, experiment.team, event):
                continue
            try:
                started += self._start(experiment, event)
            except RetryableError as error:
                later = error
        if later is not None:
            raise later
        return started

    def _start(self, experiment: Experiment, event: DomainEvent) -> bool:
        try:
            _, created = self.start(
                experiment.team,
                experiment.name,
                parameters={},
                actor=machine("event", experiment),
                trigger=f"event {event.id}",
                idempotency_key=f"event/{experiment.name}/{event.id}",
            )
        except TerminalError as error:
            _log.warning("%s/%s is not started by %s: %s", experiment.team, experiment.name, event.id, error)
            return False
        return created


def matches(pattern: EventPattern, team: str, event: DomainEvent) -> bool:
    """Whether an event of the team is the one that is waited for. What an experiment itself ran starts none."""
    if event.team != team or event.type != pattern.type:
        return False
    match event.detail:
        case RunFinished() as ended:
            if ended.trigger is not None and _OWN_RUNS in ended.trigger:
                return False
            wanted = pattern.suite in {None, ended.suite}
            return wanted and (not pattern.verdicts or ended.verdict in pattern.verdicts)
        case DeploymentRecorded() as deployed:
            fits = pattern.service in {None, deployed.service}
            return fits and pattern.environment in {None, deployed.environment}
        case _:
            return False


def machine(kind: str, experiment: Experiment) -> Actor:
    """A schedule or an event as an actor: it may start what its team's people approved, and nothing else."""
    return Actor(
        subject=f"{kind}:{experiment.name}",
        issuer=MACHINE_ISSUER,
        teams=(experiment.team,),
        roles=(Role.RUNNER,),
    )
