"""When nobody acts on a run any more: what the watch worker and the reaper go by.

A run that goes on shows it by moves, and the monitor by its lease and its announcements. Whoever should have acted on
one of them and did not within its time is taken for gone. To be wrong here costs a run, never a fault: the reaper and
the engine undo the same things side by side.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswind.chaos.model import ExperimentRun
from crosswind.chaos.ports import MonitorState
from crosswind.contracts.chaos.lifecycle import AbortCause, RunState
from crosswind.contracts.chaos.monitoring import AnnouncementName

PICKED_UP_WITHIN = timedelta(seconds=20)  # an announcement, an end or an abort has been acted on by then
TASK_ENDS_WITHIN = timedelta(seconds=150)  # longer than a Lambda of the machine works without a sign
BEGUN_WITHIN = timedelta(minutes=3)  # an execution that was started has made its first move
RETRIED_AFTER = timedelta(seconds=50)  # what could not be proven gone


@dataclass(frozen=True, slots=True)
class Stranded:
    """Nobody acts on it. `cause` is why it is aborted, where it was not before."""

    cause: AbortCause
    reason: str


def stranded(run: ExperimentRun, monitor: MonitorState | None, *, now: datetime) -> Stranded | None:
    """Why the reaper has to act; None while somebody else does, or nothing is to be done."""
    since = now - _moved(run)
    match run.state:
        case RunState.ANALYZED | RunState.BLOCKED:
            return None
        case RunState.SCHEDULED:
            return _late(since >= BEGUN_WITHIN, "the state machine never began")
        case RunState.RECOVERY_UNVERIFIED:
            return _late(since >= RETRIED_AFTER, "a removal could not be proven")
        case RunState.RECOVERY:
            return _in_recovery(run, monitor, now)
        case RunState.COMPLETED | RunState.ABORTED:
            return _late(since >= PICKED_UP_WITHIN, "nobody began the recovery")
        case _:
            return _while_it_goes_on(run, monitor, now)


def _while_it_goes_on(run: ExperimentRun, monitor: MonitorState | None, now: datetime) -> Stranded | None:
    if run.deadline is not None and now >= run.deadline:
        return Stranded(AbortCause.TIMEOUT, "the run did not end within its timeout")
    if run.abort is not None:
        return _late(now - run.abort.at >= PICKED_UP_WITHIN, "nobody acted on the abort")
    if monitor is None and run.state is RunState.MONITORING:
        return Stranded(AbortCause.MONITOR_SILENT, "nobody watches the run")
    if monitor is not None and _has_news(run, monitor, now):
        return _unheard(monitor)
    late = now - _moved(run) >= TASK_ENDS_WITHIN
    return _late(late and _is_engines_turn(run, monitor), "the state machine did not go on")


def _unheard(monitor: MonitorState) -> Stranded:
    """What the monitor told last, and nobody acted on."""
    last = monitor.announcements[-1] if monitor.announcements else None
    if last == AnnouncementName.BREACH:
        return Stranded(AbortCause.SLO, "a guard was breached, and the state machine did not act on it")
    if last == AnnouncementName.UNSTEADY:
        return Stranded(AbortCause.STEADY_STATE, "the steady state did not hold, and nobody acted on it")
    if monitor.done:
        told = f": {monitor.reason}" if monitor.reason else ""
        return Stranded(AbortCause.MONITOR_SILENT, f"the monitor ended and nobody acted on it{told}")
    return Stranded(AbortCause.ENGINE, "nobody acted on what the monitor announced")


def _is_engines_turn(run: ExperimentRun, monitor: MonitorState | None) -> bool:
    """Whether a Lambda of the machine is to move the run, and not the monitor."""
    if run.state is RunState.RUNNING or monitor is None or monitor.moved_at is None:
        return run.state is RunState.RUNNING or monitor is None
    return _has_told(run, monitor) and monitor.moved_at < _moved(run)


def _in_recovery(run: ExperimentRun, monitor: MonitorState | None, now: datetime) -> Stranded | None:
    if run.undone_at is None:  # until its own time is over a Lambda may be undoing things
        return _late(now - _moved(run) >= TASK_ENDS_WITHIN, "the recovery did not go on")
    over = monitor is None or monitor.done
    ended = (monitor.moved_at if monitor else None) or run.undone_at
    waited = now - max(ended, run.undone_at) >= PICKED_UP_WITHIN
    past = run.deadline is not None and now >= run.deadline + TASK_ENDS_WITHIN
    return _late((over and waited) or past, "nobody analysed the run")


def _has_news(run: ExperimentRun, monitor: MonitorState, now: datetime) -> bool:
    """Whether the monitor told something that the engine, which moves the run first of all, has not acted on."""
    told = monitor.moved_at
    if told is None or not _has_told(run, monitor):
        return False
    return told >= _moved(run) and now - told >= PICKED_UP_WITHIN


def _has_told(run: ExperimentRun, monitor: MonitorState) -> bool:
    """`live` is for the first step, and each step has one of its own."""
    return monitor.done or len(monitor.announcements) > run.step


def _moved(run: ExperimentRun) -> datetime:
    return run.moved_at or run.created_at


def _late(is_late: object, reason: str) -> Stranded | None:
    return Stranded(AbortCause.ENGINE, reason) if is_late else None
