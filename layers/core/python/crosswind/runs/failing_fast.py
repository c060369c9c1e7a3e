"""Fail-fast: the first failed test of a job or a stage ends its other shards. Pure rules over a run's record.

What was ended is kept on the run by a scope (`0` for a stage, `0/api` for a test job in it), so that work which is enqueued
later ends on arrival, and so that of many failing shards only the first one looks for the others.
"""

from dataclasses import replace
from datetime import datetime

from crosswind.contracts.work import FailFast, WorkKind, WorkOutcome
from crosswind.runs import protocol
from crosswind.runs.effects import Closed, Transition
from crosswind.runs.model import Run, Work

REASON = "fail_fast"
"""How the reason of work begins that fail-fast has ended: it is no failure of infrastructure."""


def scope(mode: FailFast, *, stage: int, test: str) -> str:
    """What a failed test of this job ends."""
    return str(stage) if mode is FailFast.STAGE else f"{stage}/{test}"


def started_by(run: Run, mode: FailFast, work: Work) -> Run:
    """The run with the scope ended by this shard; unchanged where another shard was first."""
    ended = scope(mode, stage=work.stage, test=work.test)
    if ended in run.failed_fast:
        return run
    return replace(run, failed_fast={**run.failed_fast, ended: work.key.work_id})


def closed(run: Run, *, stage: int, test: str, work_id: str) -> Closed | None:
    """Why work of this job takes no part any more; None where nothing has ended it.

    The shard that began it ends by itself: it may have failed while it runs, and its own evidence is still to come.
    """
    for ended in (scope(FailFast.STAGE, stage=stage, test=test), scope(FailFast.JOB, stage=stage, test=test)):
        by = run.failed_fast.get(ended)
        if by == work_id:
            return None
        if by is not None:
            return Closed(WorkOutcome.CANCELLED, f"{REASON}: tests of {by} failed, and the suite stops then")
    return None


def end(run: Run, work: Work, *, now: datetime) -> Transition | None:
    """End work that fail-fast stops; None where it does not, or where the work is done."""
    if work.commit is not None or work.kind is not WorkKind.SHARD:
        return None
    ended = closed(run, stage=work.stage, test=work.test, work_id=work.key.work_id)
    return protocol.close(work, ended, now=now) if ended else None


def is_ended(reason: str | None) -> bool:
    """Whether a commit's reason says that fail-fast ended the work."""
    return reason is not None and reason.startswith(f"{REASON}:")
