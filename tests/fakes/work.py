"""Leased work and the queue in memory. The work store keeps the queue's lists in step, as the real one does."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock

from crosswind.contracts.suites import Priority
from crosswind.kernel.errors import WriteConflictError
from crosswind.runs.model import Work, WorkKey, WorkState
from crosswind.runs.ports import QueueEntry, SchedulerTerm


class MemoryQueueStore:
    """QueueStore in memory. `waiting` and `active_entries` are open to a test that wants to plant something."""

    def __init__(self) -> None:
        self.waiting: dict[WorkKey, QueueEntry] = {}
        self.active_entries: dict[WorkKey, QueueEntry] = {}
        self.lock = RLock()
        self.fence = 0
        self._slots: int | None = None
        self._wanted = 0
        self._term_ends: datetime | None = None

    def heads(self, priority: Priority, *, limit: int) -> tuple[QueueEntry, ...]:
        with self.lock:
            entries = [entry for entry in self.waiting.values() if entry.priority is priority]
        return tuple(sorted(entries, key=lambda entry: (entry.enqueued_at, entry.key))[:limit])

    def active(self) -> tuple[QueueEntry, ...]:
        with self.lock:
            return tuple(self.active_entries[key] for key in sorted(self.active_entries))

    def waiting_count(self, *, at_most: int) -> int:
        return min(len(self.waiting), at_most)

    def slots(self) -> int | None:
        return self._slots

    def register_slots(self, slots: int) -> None:
        self._slots = slots

    def want(self) -> int:
        with self.lock:
            self._wanted += 1
            return self._wanted

    def lead(self, owner: str, *, now: datetime, duration: timedelta) -> SchedulerTerm | None:
        with self.lock:
            if self._term_ends is not None and self._term_ends > now:
                return None
            self.fence += 1
            self._term_ends = now + duration
            return SchedulerTerm(fence=self.fence, wanted=self._wanted)

    def resign(self, term: SchedulerTerm) -> bool:
        with self.lock:
            if self.fence != term.fence:
                return True  # another term has begun; there is nothing left to end
            if self._wanted != term.wanted:
                return False
            self._term_ends = None
            return True

    def wanted(self) -> int:
        return self._wanted

    def project(self, work: Work) -> None:
        """Make the lists say what the work item says."""
        self.waiting.pop(work.key, None)
        self.active_entries.pop(work.key, None)
        entry = QueueEntry(
            key=work.key,
            team=work.team,
            suite=work.suite,
            priority=work.priority,
            concurrency=work.concurrency,
            enqueued_at=work.enqueued_at,
            not_before=work.not_before,
        )
        if work.state is WorkState.WAITING:
            self.waiting[work.key] = entry
        elif work.state in {WorkState.ADMITTED, WorkState.LEASED}:
            self.active_entries[work.key] = entry


class MemoryWorkStore:
    """WorkStore in memory. `items` is open to a test that wants to look."""

    def __init__(self, queue: MemoryQueueStore | None = None) -> None:
        self.queue = queue or MemoryQueueStore()
        self.items: dict[WorkKey, Work] = {}

    def get(self, key: WorkKey) -> Work | None:
        return self.items.get(key)

    def get_many(self, keys: Sequence[WorkKey]) -> tuple[Work, ...]:
        return tuple(self.items[key] for key in dict.fromkeys(keys) if key in self.items)

    def save(self, before: Work | None, after: Work) -> Work:
        with self.queue.lock:
            stored = self.items.get(after.key)
            if (stored.version if stored else None) != (before.version if before else None):
                raise WriteConflictError(f"{after.key} was changed by another writer")
            saved = replace(after, version=(before.version if before else 0) + 1)
            self.items[after.key] = saved
            self.queue.project(saved)
            return saved

    def admit_all(self, pairs: Sequence[tuple[Work, Work]], *, fence: int) -> tuple[Work, ...]:
        with self.queue.lock:
            if self.queue.fence != fence:
                raise WriteConflictError(f"the scheduler's fence is no longer {fence}")
            written = []
            for before, after in pairs:
                try:
                    written.append(self.save(before, after))
                except WriteConflictError:
                    continue
            return tuple(written)

    def of_run(self, run_id: str) -> Iterator[Work]:
        with self.queue.lock:
            found = sorted((work for key, work in self.items.items() if key.run_id == run_id), key=_by_key)
        return iter(found)


def _by_key(work: Work) -> WorkKey:
    return work.key
