"""Leased work and the queue in memory. The work store keeps the queue's lists in step, as the real one does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock

from crosswind.kernel.errors import WriteConflictError
from crosswind.runs.admission.model import Account, QueueEntry, lane_order
from crosswind.runs.admission.ports import (
    ExecutorCapacity,
    Heads,
    LaneLine,
    Rules,
    SchedulerTerm,
    TeamSettings,
    Waiting,
)
from crosswind.runs.model import Work, WorkKey, WorkState, WorkTally, tally_of


class MemoryQueueStore:
    """QueueStore in memory. `waiting` and `active_entries` are open to a test that wants to plant something."""

    def __init__(self) -> None:
        self.waiting: dict[WorkKey, QueueEntry] = {}
        self.active_entries: dict[WorkKey, QueueEntry] = {}
        self.lines: dict[str, LaneLine] = {}
        self.teams: dict[str, TeamSettings] = {}
        self.paused: set[str] = set()
        self.executor: ExecutorCapacity | None = None
        self.lock = RLock()
        self.fence = 0
        self.stored_account: Account | None = None
        self._wanted = 0
        self._term_ends: datetime | None = None
        self._armed_for: datetime | None = None
        self._stood_by = 0

    def lanes(self) -> tuple[LaneLine, ...]:
        with self.lock:
            return tuple(self.lines[run_id] for run_id in sorted(self.lines))

    def heads(self, limits: Mapping[str, int]) -> Mapping[str, Heads]:
        with self.lock:
            return {run_id: self._heads(run_id, limit) for run_id, limit in limits.items()}

    def _heads(self, run_id: str, limit: int) -> Heads:
        entries = [entry for key, entry in self.waiting.items() if key.run_id == run_id]
        later = [entry for entry in entries if entry.not_before is not None]
        ready = sorted((entry for entry in entries if entry.not_before is None), key=lane_order)
        listed = [*sorted(later, key=lambda entry: str(entry.not_before))[:limit]]
        listed += ready[: limit if len(listed) == limit else limit - len(listed)]
        return Heads(tuple(sorted(listed, key=lane_order)), more=len(entries) >= limit)

    def close_lane(self, line: LaneLine) -> bool:
        with self.lock:
            stored = self.lines.get(line.run_id)
            if stored is not None and stored.mark != line.mark:
                return False
            self.lines.pop(line.run_id, None)
            return stored is not None

    def explain(self, run_id: str, waiting: Waiting) -> None:
        if run_id in self.lines:
            self.lines[run_id] = replace(self.lines[run_id], waiting=waiting)

    def account(self) -> Account | None:
        return self.stored_account

    def active(self, *, run_id: str | None = None) -> tuple[QueueEntry, ...]:
        with self.lock:
            keys = sorted(key for key in self.active_entries if run_id in {None, key.run_id})
            return tuple(self.active_entries[key] for key in keys)

    def waiting_count(self, *, at_most: int, run_id: str | None = None) -> int:
        return min(sum(run_id in {None, key.run_id} for key in self.waiting), at_most)

    def rules(self) -> Rules:
        return Rules(executor=self.executor, teams=dict(self.teams), paused_runs=frozenset(self.paused))

    def register_capacity(self, capacity: ExecutorCapacity) -> None:
        self.executor = capacity

    def register_slots(self, slots: int) -> None:
        self.register_capacity(ExecutorCapacity(slots=slots))

    def team(self, team: str) -> TeamSettings:
        return self.teams.get(team, TeamSettings(team))

    def save_team(self, settings: TeamSettings) -> TeamSettings:
        with self.lock:
            if self.team(settings.team).version != settings.version:
                raise WriteConflictError(f"the queue of team {settings.team} was changed meanwhile")
            self.teams[settings.team] = replace(settings, version=settings.version + 1)
            return self.teams[settings.team]

    def pause_run(self, run_id: str, *, until: datetime) -> None:
        self.paused.add(run_id)

    def resume_run(self, run_id: str) -> None:
        self.paused.discard(run_id)

    def want(self) -> int:
        with self.lock:
            self._wanted += 1
            return self._wanted

    def wanted(self) -> int:
        return self._wanted

    def lead(self, owner: str, *, now: datetime, duration: timedelta) -> SchedulerTerm | None:
        with self.lock:
            if self._term_ends is not None and self._term_ends > now:
                return None
            self.fence += 1
            self._term_ends = now + duration
            return SchedulerTerm(
                fence=self.fence, wanted=self._wanted, account=self.stored_account, armed_for=self._armed_for
            )

    def stand_by(self, *, now: datetime) -> timedelta | None:
        with self.lock:
            if self._term_ends is None or self._term_ends <= now or self._stood_by == self.fence:
                return None
            self._stood_by = self.fence
            return self._term_ends - now

    def resign(self, term: SchedulerTerm) -> bool:
        with self.lock:
            if self.fence == term.fence and self._wanted != term.wanted:
                return False
            self.release(term)
            return True

    def release(self, term: SchedulerTerm) -> None:
        with self.lock:
            if self.fence == term.fence:
                self._term_ends = None
                self.stored_account = term.account or self.stored_account
                self._armed_for = term.armed_for or self._armed_for

    def line_up(self, work: Work) -> None:
        """Count an entry in its lane's mark."""
        with self.lock:
            before = self.lines.get(work.key.run_id)
            self.lines[work.key.run_id] = LaneLine(
                run_id=work.key.run_id,
                team=work.team,
                suite=work.suite,
                priority=work.priority,
                mark=before.mark + 1 if before else 1,
                waiting=before.waiting if before else None,
            )

    def project(self, work: Work) -> bool:
        """Make the lists say what the work item says. Whether it has a new place in its lane."""
        before = self.waiting.pop(work.key, None)
        self.active_entries.pop(work.key, None)
        entry = entry_of(work)
        if work.state is WorkState.WAITING:
            self.waiting[work.key] = entry
            return before is None or _place(before) != _place(entry)
        if work.state in {WorkState.ADMITTED, WorkState.LEASED}:
            self.active_entries[work.key] = entry
        return False


def entry_of(work: Work) -> QueueEntry:
    """The line that a piece of work has in the lists."""
    return QueueEntry(
        key=work.key,
        team=work.team,
        suite=work.suite,
        priority=work.priority,
        concurrency=work.concurrency,
        enqueued_at=work.enqueued_at,
        not_before=work.not_before,
        estimate_seconds=work.estimate_seconds,
        suite_concurrency=work.suite_concurrency,
        cpu_millis=work.cpu_millis,
        memory_mib=work.memory_mib,
        group=work.group,
        group_size=work.group_size,
        anti_affinity=work.anti_affinity,
        admitted_at=work.admitted_at,
        borrowed=work.borrowed,
    )


def _place(entry: QueueEntry) -> tuple[object, ...]:
    return (entry.not_before, entry.estimate_seconds, entry.enqueued_at)


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
            if before and after.state is WorkState.LEASED and after.beats > before.beats:
                return self._beat(stored, before, after)
            if (stored.version if stored else None) != (before.version if before else None):
                raise WriteConflictError(f"{after.key} was changed by another writer")
            if stored and before and stored.state is WorkState.LEASED:
                if after.state is WorkState.LEASED:  # heartbeats meanwhile stay
                    after = replace(after, lease=stored.lease, progress=stored.progress, beats=stored.beats)
                elif stored.beats != before.beats:
                    raise WriteConflictError(f"the lease of {after.key} was changed by another writer")
            saved = replace(after, version=(before.version if before else 0) + 1)
            self.items[after.key] = saved
            if self.queue.project(saved):
                self.line_up(saved)
            return saved

    def _beat(self, stored: Work | None, before: Work, after: Work) -> Work:
        if stored is None or stored.state is not WorkState.LEASED:
            raise WriteConflictError(f"{after.key} is not leased")
        if (stored.epoch, stored.beats) != (before.epoch, before.beats):
            raise WriteConflictError(f"the lease of {after.key} was changed by another writer")
        self.items[after.key] = replace(stored, lease=after.lease, progress=after.progress, beats=after.beats)
        return after

    def line_up(self, work: Work) -> None:
        self.queue.line_up(work)

    def admit_all(
        self, pairs: Sequence[tuple[Work, Work]], *, fence: int, account: Account | None = None
    ) -> tuple[Work, ...]:
        with self.queue.lock:
            if self.queue.fence != fence:
                raise WriteConflictError(f"the scheduler's fence is no longer {fence}")
            written = []
            for before, after in pairs:
                try:
                    written.append(self.save(before, after))
                except WriteConflictError:
                    continue
            if written:
                self.queue.stored_account = account or self.queue.stored_account
            return tuple(written)

    def of_run(self, run_id: str) -> Iterator[Work]:
        with self.queue.lock:
            found = sorted((work for key, work in self.items.items() if key.run_id == run_id), key=_by_key)
        return iter(found)

    def tallies(self, run_id: str) -> Iterator[WorkTally]:
        return map(tally_of, self.of_run(run_id))


def _by_key(work: Work) -> WorkKey:
    return work.key
