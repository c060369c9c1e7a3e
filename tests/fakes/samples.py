"""Whole values to start from: name only what the test is about."""

from dataclasses import replace
from typing import Any

from crosswind.contracts.events import DomainEvent, RunFinished
from crosswind.contracts.requests import RunState
from crosswind.contracts.suites import Priority
from crosswind.contracts.work import OrderRef, Ticket, WorkKind
from crosswind.kernel.clock import to_iso
from crosswind.runs.admission.model import QueueEntry
from crosswind.runs.model import Run, Work, WorkKey, WorkState
from tests.fakes.time import START


def run_id(number: int = 1) -> str:
    """A run id of the real form."""
    return f"run-{number:026d}"


def make_run(number: int = 1, **changes: Any) -> Run:
    """An accepted run of team `demo`."""
    run = Run(
        run_id=run_id(number),
        team="demo",
        suite="shop",
        priority=Priority.P1,
        actor="ada",
        issuer="https://issuer.example",
        spec_key=f"runs/{run_id(number)}/spec.json",
        spec_digest="sha256:" + "0" * 64,
        timeout_seconds=3600,
        state=RunState.ACCEPTED,
        version=1,
        created_at=START,
    )
    return replace(run, **changes)


def make_work(number: int = 0, *, run: int = 1, **changes: Any) -> Work:
    """A waiting shard of run 1, not stored yet (version 0)."""
    work = Work(
        key=WorkKey(run_id=run_id(run), work_id=f"shard-{number:05d}"),
        kind=WorkKind.SHARD,
        team="demo",
        suite="shop",
        test="api",
        priority=Priority.P1,
        stage=0,
        concurrency=100,
        infrastructure_retries=3,
        queue_seconds=3600,
        estimate_seconds=1.0,
        order=OrderRef(key=f"runs/{run_id(run)}/stages/00/orders.jsonl", offset=number * 100, length=100),
        state=WorkState.WAITING,
        version=0,
        epoch=0,
        attempt=1,
        token=f"token-{number}",
        enqueued_at=START,
    )
    return replace(work, **changes)


def make_ticket(number: int = 0, *, run: int = 1, **changes: Any) -> Ticket:
    """The ticket of a shard of run 1."""
    ticket = Ticket(
        run_id=run_id(run),
        work_id=f"shard-{number:05d}",
        kind=WorkKind.SHARD,
        team="demo",
        suite="shop",
        test="api",
        priority=Priority.P1,
        stage=0,
        concurrency=100,
        infrastructure_retries=3,
        queue_seconds=3600,
        order=OrderRef(key=f"runs/{run_id(run)}/stages/00/orders.jsonl", offset=number * 100, length=100),
    )
    return ticket.model_copy(update=changes)


def make_entry(number: int = 0, *, run: int = 1, **changes: Any) -> QueueEntry:
    """The queue entry of a shard of run 1."""
    entry = QueueEntry(
        key=WorkKey(run_id=run_id(run), work_id=f"shard-{number:05d}"),
        team="demo",
        suite="shop",
        priority=Priority.P1,
        concurrency=100,
        enqueued_at=START,
    )
    return replace(entry, **changes)


def make_event(number: int = 1, **changes: Any) -> DomainEvent:
    """The event of a finished run."""
    event = DomainEvent(
        id=f"evt-{number:026d}",
        occurred_at=to_iso(START),
        team="demo",
        detail=RunFinished(
            run_id=run_id(number),
            team="demo",
            suite="shop",
            verdict="passed",
            reason="All 3 tests passed.",
            tests=3,
            failed=0,
            started_at=to_iso(START),
            finished_at=to_iso(START),
            actor="ada",
        ),
    )
    return event.model_copy(update=changes)
