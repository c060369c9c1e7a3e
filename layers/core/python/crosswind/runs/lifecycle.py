"""When a run takes no more work, and when it is taken for stuck: pure rules over its record."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crosswind.contracts.requests import RunState
from crosswind.contracts.work import WorkOutcome
from crosswind.runs import beside
from crosswind.runs.effects import Closed
from crosswind.runs.model import LEASE_DURATION, RoundRecord, Run, RunFailure, Work

GRACE = timedelta(minutes=10)
"""What a closed run may take to fold, judge and publish before it is closed from outside."""

TIME_FOR_CLOSING = timedelta(minutes=30)
"""What closing a run from outside may take, over many turns, before results that are still unread are left out."""

MOST_ROUNDS = 20
"""Of a run: more reruns than these say that the tests are to be mended, and its record is bounded."""

_EXECUTION = re.compile(r"(run-[0-9a-z]{26})(-a\d+)?(-r\d+)?")


def began(run: Run) -> datetime:
    """When the run's present round began: with its submission, or with the rerun of its failed tests."""
    return run.reopened_at or run.created_at


def deadline(run: Run) -> datetime:
    """When the time of the present round is up, waiting included."""
    return began(run) + timedelta(seconds=run.timeout_seconds)


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


def reopened(run: Run, *, plan_key: str, shards: int, stage: int, by: str, now: datetime) -> Run:
    """A finished run as its next round begins: what this one came to is kept, and nothing of it is judged again.

    `shards` are those that the new plan adds, `stage` is the first that runs. Raises ValueError for a run without a verdict: there is nothing to keep.
    """
    if run.verdict is None or run.finished_at is None:
        raise ValueError(f"{run.run_id} is not finished")
    record = RoundRecord(
        round=run.round,
        verdict=run.verdict,
        case_counts=run.case_counts,
        started_at=began(run),
        finished_at=run.finished_at,
    )
    return replace(
        run,
        state=RunState.EXECUTING,
        round=run.round + 1,
        rounds=(*run.rounds, record),
        round_plans=(*run.round_plans, plan_key),
        reopened_at=now,
        rerun_by=by,
        plan=replace(run.plan, shards=run.plan.shards + shards) if run.plan else None,
        current_stage=stage,
        finished_at=None,
        verdict=None,
        failure=None,
        failed_fast={},
        execution=None,
        recoveries=0,
        watched_at=now,
        cancel_requested_at=None,
        cancelled_by=None,
        paused_at=None,
        paused_by=None,
        beside=beside.again(run),
    )


def round_execution(run: Run) -> str:
    """Name of the execution that begins the run's present round."""
    return run.run_id if run.round == 1 else f"{run.run_id}-a{run.round}"


def current_execution(run: Run) -> str:
    """Name of the execution that carries the run."""
    return run.execution or round_execution(run)


def recovery_execution(run: Run) -> str:
    """Name of the execution that takes over next."""
    return f"{round_execution(run)}-r{run.recoveries + 1}"


def run_of_execution(name: str) -> str | None:
    """The run that an execution's name tells of; None for executions of other kinds, such as a map's children."""
    match = _EXECUTION.fullmatch(name)
    return match.group(1) if match else None


def last_moved(works: Sequence[Work]) -> datetime | None:
    """The latest moment that any of the items tells of; None without items."""
    moments = [moment for work in works for moment in _moments(work)]
    return max(moments, default=None)


def _moments(work: Work) -> list[datetime]:
    known = [
        work.token_at,
        work.redispatched_at or work.admitted_at,
        work.lease.expires_at - LEASE_DURATION if work.lease else None,
        work.failures[-1].at if work.failures else None,
        work.commit.at if work.commit else None,
    ]
    return [work.enqueued_at, *(moment for moment in known if moment is not None)]
