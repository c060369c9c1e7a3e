"""Runs and suites in memory."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock

from crosswind.contracts.events import DomainEvent
from crosswind.contracts.requests import RunState
from crosswind.kernel.clock import Clock
from crosswind.kernel.errors import ConflictError, InvalidInputError, NotFoundError, WriteConflictError
from crosswind.kernel.ids import IdempotencyKey
from crosswind.kernel.paging import Page
from crosswind.runs.model import Case, Run, RunPurpose
from crosswind.runs.ports import DocumentRecord, RunFilter
from tests.fakes.time import SettableClock

IDEMPOTENCY_LASTS = timedelta(hours=24)


class MemoryRunStore:
    """RunStore in memory. `runs` and `outbox` are open to a test that wants to look."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.runs: dict[str, Run] = {}
        self.outbox: dict[str, DomainEvent] = {}
        self._clock = clock or SettableClock()
        self._lock = RLock()
        self._keys: dict[tuple[str, str], tuple[str, str, datetime]] = {}
        self._failures: dict[str, dict[str, tuple[Case, ...]]] = {}
        self._preparations: dict[str, tuple[str, datetime]] = {}

    def create(self, run: Run, *, idempotency: IdempotencyKey | None) -> tuple[Run, bool]:
        with self._lock:
            earlier = self.created_with(idempotency) if idempotency is not None else None
            if earlier is not None:
                return earlier, False
            if run.run_id in self.runs:
                raise WriteConflictError(f"{run.run_id} exists")
            stored = replace(run, version=1)
            self.runs[run.run_id] = stored
            if idempotency is not None:
                self._keys[idempotency.team, idempotency.key] = (
                    run.run_id,
                    idempotency.request_digest,
                    self._clock.now() + IDEMPOTENCY_LASTS,
                )
            return stored, True

    def created_with(self, idempotency: IdempotencyKey) -> Run | None:
        known = self._keys.get((idempotency.team, idempotency.key))
        if known is None or known[2] <= self._clock.now():
            return None
        if known[1] != idempotency.request_digest:
            raise ConflictError("this Idempotency-Key was used for another request")
        return self.get(known[0])

    def get(self, run_id: str) -> Run:
        try:
            return self.runs[run_id]
        except KeyError:
            raise NotFoundError(f"there is no run {run_id}") from None

    def save(self, run: Run) -> Run:
        with self._lock:
            stored = self.runs.get(run.run_id)
            if stored is None or stored.version != run.version:
                raise WriteConflictError(f"{run.run_id} was changed by another writer")
            saved = replace(run, version=run.version + 1)
            self.runs[run.run_id] = saved
            return saved

    def finish(self, run: Run, event: DomainEvent) -> Run:
        with self._lock:
            saved = self.save(run)
            self.outbox[event.id] = event
            return saved

    def list_runs(self, wanted: RunFilter, *, limit: int, cursor: str | None) -> Page[Run]:
        after = _read_cursor(cursor, wanted.team)
        found = sorted(
            (
                run
                for run in self.runs.values()
                if _matches(run, wanted) and not (after and run.run_id >= after)
            ),
            key=lambda run: run.run_id,
            reverse=True,
        )
        more = len(found) > limit
        return Page(
            items=tuple(found[:limit]),
            cursor=_write_cursor(wanted.team, found[limit - 1].run_id) if more else None,
        )

    def unfinished(self) -> Iterator[Run]:
        return iter([run for run in self.runs.values() if run.state is not RunState.FINISHED])

    def unsent_events(self) -> Iterator[DomainEvent]:
        return iter([self.outbox[event_id] for event_id in sorted(self.outbox)])

    def unsent_event(self, event_id: str) -> DomainEvent | None:
        return self.outbox.get(event_id)

    def mark_sent(self, event_id: str) -> None:
        self.outbox.pop(event_id, None)

    def add_failures(self, run_id: str, work_id: str, cases: Sequence[Case]) -> None:
        self._failures.setdefault(run_id, {})[work_id] = tuple(cases)

    def failures(self, run_id: str) -> tuple[Case, ...]:
        kept = self._failures.get(run_id, {})
        return tuple(case for work_id in sorted(kept) for case in kept[work_id])

    def preparation(self, cache_key: str) -> str | None:
        known = self._preparations.get(cache_key)
        return known[0] if known and known[1] > self._clock.now() else None

    def remember_preparation(self, cache_key: str, *, discovery_key: str, until: datetime) -> None:
        self._preparations[cache_key] = (discovery_key, until)


class MemoryDocumentStore:
    """DocumentStore in memory."""

    def __init__(self, noun: str = "suite") -> None:
        self.noun = noun
        self.suites: dict[tuple[str, str], DocumentRecord] = {}

    def put(self, record: DocumentRecord) -> bool:
        created = (record.team, record.name) not in self.suites
        self.suites[record.team, record.name] = record
        return created

    def get(self, team: str, name: str) -> DocumentRecord:
        try:
            return self.suites[team, name]
        except KeyError:
            raise NotFoundError(f"team {team} has no {self.noun} {name}") from None

    def delete(self, team: str, name: str) -> None:
        self.get(team, name)
        del self.suites[team, name]

    def list_documents(self, team: str, *, limit: int, cursor: str | None) -> Page[DocumentRecord]:
        after = _read_cursor(cursor, team)
        names = sorted(name for owner, name in self.suites if owner == team and name > (after or ""))
        return Page(
            items=tuple(self.suites[team, name] for name in names[:limit]),
            cursor=_write_cursor(team, names[limit - 1]) if len(names) > limit else None,
        )


def _matches(run: Run, wanted: RunFilter) -> bool:
    verdict = run.verdict.kind if run.verdict else None
    return (
        run.team == wanted.team
        and run.purpose is RunPurpose.RUN
        and wanted.suite in {None, run.suite}
        and wanted.state in {None, run.state}
        and wanted.verdict in {None, verdict}
    )


def _write_cursor(team: str, last: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([team, last]).encode()).decode()


def _read_cursor(cursor: str | None, team: str) -> str | None:
    if cursor is None:
        return None
    try:
        owner, last = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError):
        raise InvalidInputError("this cursor is not one of ours") from None
    if owner != team or not isinstance(last, str):
        raise InvalidInputError("this cursor is not one of ours")
    return last
