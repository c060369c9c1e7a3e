"""When a run takes no more work, and when it is taken for stuck: pure rules over its record."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from crosswind.contracts.requests import RunState
from crosswind.contracts.work import WorkOutcome
from crosswind.runs.model import Run, RunFailure
from crosswind.runs.protocol import Closed

GRACE = timedelta(minutes=10)
"""What a closed run may take to fold, judge and publish before it is closed from outside."""

TIME_FOR_CLOSING = timedelta(minutes=30)
"""What closing a run from outside may take, over many turns, before results that are still unread are left out."""

_EXECUTION = re.compile(r"(run-[0-9a-z]{26})(-r\d+)?")


def deadline(run: Run) -> datetime:
    """When the run's time is up, waiting included."""
    return run.created_at + timedelta(seconds=run.timeout_seconds)


def closed(run: Run, now: datetime) -> Closed | None:
    """Why the run takes no more work; None while it does."""
    if run.state is RunState.FINISHED:
        return Closed(WorkOutcome.CANCELLED, "the run is over")
    if run.cancel_requested_at is not None:
        return Closed(WorkOutcome.CANCELLED, f"cancelled by {run.cancelled_by or 'someone'}")
    if now >= deadline(run):
        return Closed(WorkOutcome.ERROR, f"run_timeout: the run's {run.timeout_seconds} s are over")
    return None


def overdue(run: Run, now: datetime) -> bool:
    """Whether the run should have ended by now: its execution has had time enough to close it."""
    return now >= _end(run) + GRACE


def long_overdue(run: Run, now: datetime) -> bool:
    """Whether closing it from outside has had time enough too: then it ends with what is known."""
    return now >= _end(run) + GRACE + TIME_FOR_CLOSING


def hopeless(run: Run, now: datetime) -> bool:
    """Whether even closing it with what is known was tried in vain, for as long again: then it ends unjudged.

    A worker that is killed over a run's results, by its time or its memory, records nothing: only time can tell.
    """
    return now >= _end(run) + GRACE + 2 * TIME_FOR_CLOSING


def _end(run: Run) -> datetime:
    return min([deadline(run), *([run.cancel_requested_at] if run.cancel_requested_at else [])])


def with_failure(run: Run, failure: RunFailure) -> Run:
    """The run with its failure; the first one stays."""
    return run if run.failure else replace(run, failure=failure)


def current_execution(run: Run) -> str:
    """Name of the execution that carries the run."""
    return run.execution or run.run_id


def recovery_execution(run: Run) -> str:
    """Name of the execution that takes over next."""
    return f"{run.run_id}-r{run.recoveries + 1}"


def run_of_execution(name: str) -> str | None:
    """The run that an execution's name tells of; None for executions of other kinds, such as a map's children."""
    match = _EXECUTION.fullmatch(name)
    return match.group(1) if match else None
