"""Queues for the tests of admission: who waits, who is at work, and what came of a look at them."""

from datetime import timedelta
from typing import Any

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.model import Account, Capacity, Decision, Queue, QueueEntry, Round, Usage
from crosswind.runs.admission.policy import admit
from tests.fakes import START, make_entry

P0, P1, P2 = Priority
MINUTE = timedelta(minutes=1)
AGING = timedelta(minutes=10)


def waiting(
    count: int = 1, *, run: int = 1, first: int = 0, minutes_ago: float = 0, **changes: Any
) -> list[QueueEntry]:
    """Shards of a run that wait."""
    enqueued_at = START - minutes_ago * MINUTE
    return [
        make_entry(number, run=run, enqueued_at=enqueued_at, **changes)
        for number in range(first, first + count)
    ]


def at_work(
    count: int = 1, *, run: int = 90, first: int = 0, minutes_ago: float = 1, **changes: Any
) -> list[QueueEntry]:
    """Shards of another run that hold slots."""
    admitted_at = START - minutes_ago * MINUTE
    return [
        make_entry(number, run=run, admitted_at=admitted_at, **changes)
        for number in range(first, first + count)
    ]


def look(
    *queue: list[QueueEntry],
    active: list[QueueEntry] | None = None,
    account: Account | None = None,
    paused: tuple[str, ...] = (),
    **capacity: Any,
) -> Round:
    """One round at START, with ten slots unless told otherwise."""
    entries = [entry for part in queue for entry in part]
    return admit(
        Queue.of(entries, paused=paused),
        Usage(tuple(active or ()), account),
        Capacity(**{"slots": 10, **capacity}),
        START,
    )


def names(decisions: tuple[Decision, ...]) -> list[str]:
    """Run and shard of each, in order, as `1/0`."""
    return [short(decision.entry) for decision in decisions]


def short(entry: QueueEntry) -> str:
    """Run and shard as `1/0`."""
    return f"{int(entry.key.run_id.removeprefix('run-'))}/{int(entry.key.work_id[-5:])}"


def held(round_: Round) -> dict[str, str]:
    """Why the first waiting entry of each lane waits, as `reason: sentence`."""
    return {
        short(decision.entry): f"{decision.reason}: {decision.explanation}"
        for decision in round_.decisions
        if not decision.admitted
    }
