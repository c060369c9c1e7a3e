"""Experiments, their runs, injections and holds in memory; and whole values to start from."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any, TypeVar

from crosswind.chaos.model import (
    Experiment,
    ExperimentRun,
    Hold,
    Injection,
    Revision,
    Target,
    TimelineEvent,
)
from crosswind.chaos.ports import PLANNABLE, RunFilter
from crosswind.chaos.radius import target_ids
from crosswind.contracts.chaos.gate import GateDecision
from crosswind.contracts.chaos.lifecycle import FaultState, RevisionState, RunState
from crosswind.contracts.chaos.spec import ExperimentSpec, ProviderName
from crosswind.contracts.events import DomainEvent
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError, InvalidInputError, NotFoundError, WriteConflictError
from crosswind.kernel.ids import IdempotencyKey
from crosswind.kernel.paging import Page
from tests.fakes.time import START, SettableClock

T = TypeVar("T")

SPEC_DIGEST = "sha256:" + "a" * 64


class MemoryExperimentStore:
    """ExperimentStore in memory. Its fields are open to a test that wants to look."""

    def __init__(self, outbox: dict[str, DomainEvent] | None = None) -> None:
        self.experiments: dict[tuple[str, str], Experiment] = {}
        self.revisions: dict[tuple[str, str, int], Revision] = {}
        self.outbox: dict[str, DomainEvent] = {} if outbox is None else outbox
        self._lock = RLock()

    def find(self, team: str, name: str) -> Experiment | None:
        return self.experiments.get((team, name))

    def save(self, experiment: Experiment, *, event: DomainEvent | None = None) -> Experiment:
        place = (experiment.team, experiment.name)
        with self._lock:
            stored = self.find(*place)
            if (stored.version if stored else 0) != experiment.version:
                raise WriteConflictError(f"{experiment.name} was changed by another writer")
            saved = replace(experiment, version=experiment.version + 1)
            self.experiments[place] = saved
            self.revisions[*place, saved.revision.number] = saved.revision
            if event is not None:
                self.outbox[event.id] = event
            return saved

    def revision(self, team: str, name: str, number: int) -> Revision:
        found = self.revisions.get((team, name, number))
        if found is None:
            raise NotFoundError(f"there is no revision {number} of experiment {name} in team {team}")
        return found

    def last_revision(self, team: str, name: str) -> int:
        return max((number for *place, number in self.revisions if place == [team, name]), default=0)

    def approved(self, team: str, name: str) -> Revision | None:
        found = self.find(team, name)
        return found.revision if found and found.revision.state is RevisionState.APPROVED else None

    def delete(self, team: str, name: str, *, version: int) -> None:
        with self._lock:
            stored = self.find(team, name)
            if stored is None:
                raise NotFoundError(f"there is no experiment {name} in team {team}")
            if stored.version != version:
                raise WriteConflictError(f"{name} was changed by another writer")
            del self.experiments[team, name]

    def list_experiments(self, team: str, *, limit: int, cursor: str | None) -> Page[Experiment]:
        names = sorted(name for owner, name in self.experiments if owner == team)
        page = _page(names, team, limit, cursor)
        return Page(tuple(self.experiments[team, name] for name in page.items), page.cursor)

    def waiting_for(self, event_type: str) -> Iterator[Experiment]:
        for each in list(self.experiments.values()):
            when = each.revision.spec.schedule
            approved = each.revision.state is RevisionState.APPROVED and not each.paused
            if approved and when and when.on_event and when.on_event.type == event_type:
                yield each

    def due(self, *, until: datetime) -> Iterator[Experiment]:
        waiting = [
            (each.next_start, each)
            for each in self.experiments.values()
            if each.next_start and not each.paused and each.next_start <= until
        ]
        return iter([each for _, each in sorted(waiting, key=lambda pair: pair[0])])


class MemoryExperimentRunStore:
    """ExperimentRunStore in memory. Its fields are open to a test that wants to look."""

    def __init__(self, clock: Clock | None = None, outbox: dict[str, DomainEvent] | None = None) -> None:
        self.clock: Clock = clock or SettableClock()
        self.runs: dict[str, ExperimentRun] = {}
        self.planned: dict[tuple[str, int, str], Injection] = {}
        self.held: dict[str, Hold] = {}
        self.lines: dict[str, list[TimelineEvent]] = {}
        self.decided: dict[str, list[GateDecision]] = {}
        self.outbox: dict[str, DomainEvent] = {} if outbox is None else outbox
        self.keys: dict[tuple[str, str], tuple[str, str, datetime]] = {}
        self._lock = RLock()

    def create(
        self,
        run: ExperimentRun,
        *,
        idempotency: IdempotencyKey | None,
        timeline: Sequence[TimelineEvent] = (),
        event: DomainEvent | None = None,
    ) -> tuple[ExperimentRun, bool]:
        with self._lock:
            earlier = self.created_with(idempotency) if idempotency else None
            if earlier is not None:
                return earlier, False
            if run.run_id in self.runs:
                raise WriteConflictError(f"{run.run_id} exists")
            if idempotency is not None:
                lasts = self.clock.now() + timedelta(hours=24)
                self.keys[idempotency.team, idempotency.key] = (
                    run.run_id,
                    idempotency.request_digest,
                    lasts,
                )
            stored = replace(run, version=1)
            self.runs[run.run_id] = stored
            self._tell(run.run_id, timeline, event)
            return stored, True

    def created_with(self, idempotency: IdempotencyKey) -> ExperimentRun | None:
        run_id, digest, lasts = self.keys.get((idempotency.team, idempotency.key), ("", "", START))
        if not run_id or lasts <= self.clock.now():
            return None
        if digest != idempotency.request_digest:
            raise ConflictError("this Idempotency-Key was used for another request")
        return self.get(run_id)

    def get(self, run_id: str) -> ExperimentRun:
        if run_id not in self.runs:
            raise NotFoundError(f"there is no run {run_id}")
        return self.runs[run_id]

    def save(
        self, run: ExperimentRun, *, timeline: Sequence[TimelineEvent] = (), event: DomainEvent | None = None
    ) -> ExperimentRun:
        with self._lock:
            stored = self.runs.get(run.run_id)
            if stored is None or stored.version != run.version:
                raise WriteConflictError(f"{run.run_id} was changed by another writer")
            saved = replace(run, version=run.version + 1)
            self.runs[run.run_id] = saved
            self._tell(run.run_id, timeline, event)
            return saved

    def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> Page[ExperimentRun]:
        found = {
            f"{run.created_at.isoformat()}#{run.run_id}": run
            for run in self.runs.values()
            if run.team == wanted.team
            and wanted.experiment in {None, run.experiment}
            and wanted.service in {None, run.service}
            and wanted.state in {None, run.state}
        }
        page = _page(sorted(found, reverse=True), wanted.team, limit, cursor)
        return Page(tuple(found[each] for each in page.items), page.cursor)

    def unfinished(self) -> Iterator[ExperimentRun]:
        return iter([each for each in self.runs.values() if each.state is not RunState.ANALYZED])

    def plan_injections(
        self, run: ExperimentRun, injections: Sequence[Injection], holds: Sequence[Hold]
    ) -> None:
        with self._lock:
            if self.runs[run.run_id].state not in PLANNABLE:
                raise WriteConflictError(f"{run.run_id} is past its preflight check")
            earlier = {(each.step, each.fault): each for each in self.injections(run.run_id)}
            planned = [each for each in earlier.values() if each.state is FaultState.PLANNED]
            for each in planned:
                del self.planned[each.run_id, each.step, each.fault]
            for each in injections:
                known = earlier.get((each.step, each.fault))
                if known is None or known.state is FaultState.PLANNED:
                    version = (known.version if known else 0) + 1
                    self.planned[each.run_id, each.step, each.fault] = replace(each, version=version)
            others = [
                each for each in self.holds([hold.target_id for hold in holds]) if each.run_id != run.run_id
            ]
            if others:
                shown = ", ".join(f"{each.target_id} by {each.run_id}" for each in others)
                raise ConflictError(f"held already: {shown}")
            self.held |= {each.target_id: each for each in holds}
            asked_for = [each for each in earlier.values() if each.state is not FaultState.PLANNED]
            wanted = {each.target_id for each in holds} | set(_hit(asked_for))
            self.release(run.run_id, [each for each in _hit(planned) if each not in wanted])

    def injections(self, run_id: str) -> tuple[Injection, ...]:
        found = [each for each in self.planned.values() if each.run_id == run_id]
        return tuple(sorted(found, key=lambda each: (each.step, each.order)))

    def save_injection(self, injection: Injection) -> Injection:
        place = (injection.run_id, injection.step, injection.fault)
        with self._lock:
            stored = self.planned.get(place)
            if (stored.version if stored else 0) != injection.version:
                raise WriteConflictError(f"{injection.marker} was changed by another writer")
            self.planned[place] = replace(injection, version=injection.version + 1)
            return self.planned[place]

    def holds(self, target_ids: Sequence[str]) -> tuple[Hold, ...]:
        found = [self.held[each] for each in sorted(set(target_ids)) if each in self.held]
        going_on = {each.run_id for each in self.unfinished()}
        return tuple(each for each in found if each.run_id in going_on)

    def mark_unverified(self, run_id: str, target_ids: Sequence[str]) -> None:
        run = self.get(run_id)
        for each in target_ids:
            free = Hold(each, run_id, run.team, unverified=True, since=self.clock.now())
            hold = self.held.get(each, free)
            if hold.run_id == run_id:
                self.held[each] = replace(hold, unverified=True)

    def release(self, run_id: str, target_ids: Sequence[str]) -> None:
        for each in target_ids:
            if each in self.held and self.held[each].run_id == run_id:
                del self.held[each]

    def add_to_timeline(self, run_id: str, events: Sequence[TimelineEvent]) -> None:
        with self._lock:
            self._tell(run_id, events, None)

    def timeline(self, run_id: str, *, limit: int, cursor: str | None) -> Page[TimelineEvent]:
        known = {f"{each.at.isoformat()}#{each.number:08d}": each for each in self.lines.get(run_id, [])}
        page = _page(sorted(known), run_id, limit, cursor)
        return Page(tuple(known[each] for each in page.items), page.cursor)

    def add_decision(self, run_id: str, decision: GateDecision) -> None:
        self.decided.setdefault(run_id, []).append(decision)

    def decisions(self, run_id: str) -> tuple[GateDecision, ...]:
        return tuple(sorted(self.decided.get(run_id, []), key=lambda each: each.decided_at))

    def unsent_events(self) -> Iterator[DomainEvent]:
        return iter([self.outbox[each] for each in sorted(self.outbox)])

    def mark_sent(self, event_id: str) -> None:
        self.outbox.pop(event_id, None)

    def _tell(self, run_id: str, timeline: Sequence[TimelineEvent], event: DomainEvent | None) -> None:
        lines = self.lines.setdefault(run_id, [])
        for each in timeline:
            lines.append(replace(each, number=len(lines) + 1))
        if event is not None:
            self.outbox[event.id] = event


def exp_id(number: int = 1) -> str:
    """A run id of the real form."""
    return f"exp-{number:026d}"


def make_spec(**changes: Any) -> ExperimentSpec:
    """Orders answer although payments are slow."""
    document: dict[str, Any] = {
        "environment": "staging",
        "service": "orders",
        "hypothesis": {
            "title": "orders answer although payments are slow",
            "probes": [{"name": "orders", "type": "http", "url": "http://127.0.0.1:9001/health"}],
        },
        "faults": [
            {
                "name": "slow",
                "provider": "toxiproxy",
                "action": "latency",
                "target": {"kind": "proxy", "names": ["payments"]},
                "parameters": {"latency": 800},
                "duration": "30s",
            }
        ],
        "blastRadius": {"maxTargets": 1},
        "timeout": "10m",
        **changes,
    }
    return ExperimentSpec.model_validate(document)


def make_experiment(name: str = "slow-payments", **changes: Any) -> Experiment:
    """A draft of ada's in team `demo`, not stored yet. Fields of the revision may be named, too."""
    of_revision = {each: changes.pop(each) for each in list(changes) if each in Revision.__slots__}
    revision = Revision(
        number=1,
        state=RevisionState.DRAFT,
        spec=make_spec(),
        spec_digest=SPEC_DIGEST,
        edited_by=("ada",),
        updated_at=START,
    )
    experiment = Experiment(
        team="demo",
        name=name,
        version=0,
        created_by="ada",
        created_at=START,
        revision=replace(revision, **of_revision),
    )
    return replace(experiment, **changes)


def make_experiment_run(number: int = 1, **changes: Any) -> ExperimentRun:
    """A scheduled run, not stored yet."""
    run = ExperimentRun(
        run_id=exp_id(number),
        team="demo",
        experiment="slow-payments",
        revision=1,
        environment="staging",
        service="orders",
        state=RunState.SCHEDULED,
        version=0,
        created_at=START + timedelta(seconds=number),
        requested_by="ada",
        spec=make_spec(),
        spec_digest=SPEC_DIGEST,
    )
    return replace(run, **changes)


def make_injection(fault: str = "slow", *, run: int = 1, step: int = 1, **changes: Any) -> Injection:
    """A planned injection into proxy `payments`."""
    injection = Injection(
        run_id=exp_id(run),
        step=step,
        fault=fault,
        order=1,
        provider=ProviderName.TOXIPROXY,
        action="latency",
        targets=(make_target(),),
        percent=100.0,
        duration_seconds=30.0,
        parameters={"latency": 800},
        compensation={"toxics": ["payments"]},
        environment="staging",
        team="demo",
    )
    return replace(injection, **changes)


def make_target(name: str = "payments", **changes: Any) -> Target:
    """A proxy."""
    target = Target(provider=ProviderName.TOXIPROXY, kind="proxy", id=name, name=name)
    return replace(target, **changes)


def make_hold(name: str = "payments", *, run: int = 1) -> Hold:
    """A hold of a proxy."""
    return Hold(target_id=f"toxiproxy:{name}", run_id=exp_id(run), team="demo", unverified=False, since=START)


def _hit(injections: Iterable[Injection]) -> tuple[str, ...]:
    return target_ids(target for each in injections for target in each.targets)


def _page(keys: list[str], owner: str, limit: int, cursor: str | None) -> Page[str]:
    """A cursor is `<owner> <key>`, encoded."""
    start = 0
    if cursor is not None:
        try:
            told, _, last = base64.b64decode(cursor, validate=True).decode().partition(" ")
        except ValueError:
            told, last = "", ""
        if told != owner or last not in keys:
            raise InvalidInputError("the cursor is not one that a page of this list gave")
        start = keys.index(last) + 1
    items = keys[start : start + limit]
    more = len(keys) > start + limit
    behind = base64.b64encode(f"{owner} {items[-1]}".encode()).decode() if more else None
    return Page(tuple(items), behind)
