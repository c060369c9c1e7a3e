"""Barriers of load jobs in memory, over the work items that say who is leased."""

from dataclasses import replace
from datetime import datetime
from threading import Lock

from crosswind.kernel.errors import LeaseLostError, WriteConflictError
from crosswind.runs.load.barrier import Barrier, Decision, Ready, Start, Stop
from crosswind.runs.model import Work, WorkKey, WorkState
from crosswind.runs.ports import WorkStore


class MemoryBarrierStore:
    """BarrierStore in memory. `barriers` is open to a test that wants to look."""

    def __init__(self, works: WorkStore) -> None:
        self.works = works
        self.barriers: dict[tuple[str, str], Barrier] = {}
        self.judges: dict[tuple[str, str], str] = {}
        self._lock = Lock()  # workers in threads share it

    def get(self, run_id: str, group: str) -> Barrier:
        return self.barriers.get((run_id, group)) or Barrier(run_id, group)

    def open(self, run_id: str, group: str, *, at: datetime) -> None:
        with self._lock:
            known = self.get(run_id, group)
            self.barriers[run_id, group] = replace(known, opened_at=known.opened_at or at)

    def say_ready(self, group: str, *, holder: Work, at: datetime) -> None:
        if not self._is_leased(holder.key, holder.epoch):
            raise LeaseLostError(f"{holder.key.work_id} is not leased under epoch {holder.epoch} any more")
        word = Ready(holder.key.work_id, holder.epoch, at)
        with self._lock:
            known = self.get(holder.key.run_id, group)
            self.barriers[holder.key.run_id, group] = replace(
                known, ready={**known.ready, word.work_id: word}
            )

    def start(self, run_id: str, group: str, start: Start) -> None:
        for work_id, epoch in start.epochs.items():
            if not self._is_leased(WorkKey(run_id, work_id), epoch):
                raise WriteConflictError(f"{work_id} is not leased under epoch {epoch}")
        self._decide(run_id, group, start)

    def stop(self, run_id: str, group: str, stop: Stop) -> None:
        self._decide(run_id, group, stop)

    def claim_judging(self, run_id: str, group: str, work_id: str) -> str:
        return self.judges.setdefault((run_id, group), work_id)

    def _decide(self, run_id: str, group: str, decision: Decision) -> None:
        with self._lock:
            known = self.get(run_id, group)
            if known.decision is not None:
                raise WriteConflictError(f"{group} was decided before")
            self.barriers[run_id, group] = replace(known, decision=decision)

    def _is_leased(self, key: WorkKey, epoch: int) -> bool:
        work = self.works.get(key)
        return work is not None and work.state is WorkState.LEASED and work.epoch == epoch
