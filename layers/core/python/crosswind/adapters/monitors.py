"""Monitors over the one protocol of leased work (ADR 0002): what the chaos area knows of a run's monitor.

An adapter between two areas: the runs area's use cases on one side, the port of the chaos area on the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

from crosswind.chaos.ports import MonitorState
from crosswind.contracts.chaos.monitoring import MONITOR_WORK_ID
from crosswind.kernel.clock import Clock
from crosswind.runs import protocol
from crosswind.runs.effects import Transition
from crosswind.runs.model import Work, WorkKey, WorkState
from crosswind.runs.ports import WorkStore
from crosswind.runs.usecases.changing import ChangeWork


@dataclass(frozen=True)
class LeasedMonitors:
    """One monitor for each run, as its piece of work."""

    works: WorkStore
    change: ChangeWork
    watch_work: Callable[[str], tuple[Work, ...]]
    clock: Clock

    def state(self, run_id: str) -> MonitorState | None:
        work = self.works.get(_key(run_id))
        return None if work is None else state_of(work)

    def watch(self, run_id: str) -> MonitorState | None:
        watched = {work.key.work_id: work for work in self.watch_work(run_id)}
        work = watched.get(MONITOR_WORK_ID)
        return None if work is None else state_of(work)

    def cancel(self, run_id: str, *, reason: str) -> None:
        def decide(work: Work | None) -> Transition | None:
            return protocol.cancel(work, reason=reason, now=self.clock.now()) if work else None

        self.change(_key(run_id), decide)


def state_of(work: Work) -> MonitorState:
    """What the chaos area needs to know of the work."""
    told = work.announcements[-1].at if work.announcements else None
    return MonitorState(
        leased=work.state is WorkState.LEASED and work.lease is not None,
        done=work.state is WorkState.DONE,
        last_beat_expires_at=work.lease.expires_at if work.lease else None,
        announcements=tuple(each.name for each in work.announcements),
        ended_as=work.commit.outcome.value if work.commit else None,
        moved_at=work.commit.at if work.commit else told,
        reason=work.commit.reason if work.commit else None,
        epoch=work.epoch,
    )


def _key(run_id: str) -> WorkKey:
    return WorkKey(run_id=run_id, work_id=MONITOR_WORK_ID)
