"""What admission needs from outside: the lanes in which work waits, what is active, the rules, and the scheduler's lease."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.model import Account, Capacity, QueueEntry, Reason, TeamPolicy


@dataclass(frozen=True, slots=True)
class SchedulerTerm:
    """A term as the one scheduler.

    `wanted` was the wake-up counter when it was read. `account` is what the term before left. `armed_for` is when a
    delayed wake-up that somebody has sent already will arrive.
    """

    fence: int
    wanted: int
    account: Account | None = None
    armed_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why the first waiting entry of a lane was not admitted when the scheduler looked last."""

    reason: Reason
    explanation: str
    since: datetime  # since when for this reason
    written_at: datetime


@dataclass(frozen=True, slots=True)
class LaneLine:
    """That a run has, or had until just now, waiting work.

    `mark` grows after every entry that joins the lane: who read the lane's entries after the line knows of every entry
    that joined before that mark.
    """

    run_id: str
    team: str
    suite: str
    priority: Priority
    mark: int
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True)
class Heads:
    """The first entries of a lane, in the order in which the run wants them, and whether it has more of them."""

    entries: tuple[QueueEntry, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class ExecutorCapacity:
    """What an executor registered. None is not counted, not paced."""

    slots: int
    cpu_millis: int | None = None
    memory_mib: int | None = None
    launches_per_second: float | None = None
    launch_burst: int = 1


@dataclass(frozen=True, slots=True)
class TeamSettings:
    """A team's part of the capacity as it is stored, with who changed it last. `version` 0: never stored."""

    team: str
    policy: TeamPolicy = field(default_factory=TeamPolicy)
    paused_reason: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the scheduler goes by beside the queue: one read gives all of it."""

    executor: ExecutorCapacity | None = None
    teams: Mapping[str, TeamSettings] = field(default_factory=dict)
    paused_runs: frozenset[str] = frozenset()

    def capacity(self, defaults: Capacity) -> Capacity:
        """What there is to give: the executor's, else the stage's own, under the teams' policies."""
        teams = {name: settings.policy for name, settings in self.teams.items()}
        if self.executor is None:
            return replace(defaults, teams=teams)
        return replace(
            defaults,
            slots=self.executor.slots,
            cpu_millis=self.executor.cpu_millis,
            memory_mib=self.executor.memory_mib,
            launches_per_second=self.executor.launches_per_second,
            launch_burst=self.executor.launch_burst,
            teams=teams,
        )


class QueueStore(Protocol):
    """The lists that the scheduler reads, its lease, and the rules. All reads but the counts are consistent."""

    def lanes(self) -> tuple[LaneLine, ...]:
        """Every lane that may hold something, by run."""
        ...

    def heads(self, limits: Mapping[str, int]) -> Mapping[str, Heads]:
        """The first entries of some lanes, at most so many of each: those that are ready with the longest estimate
        first, then by when they were enqueued; those in a backoff whose time is not over come last, soonest first."""
        ...

    def close_lane(self, line: LaneLine) -> bool:
        """Take a lane's line away, unless an entry has joined since the line was read. Never loses an entry."""
        ...

    def explain(self, run_id: str, waiting: Waiting) -> None:
        """Keep at a lane why it waits; nothing where the lane is gone."""
        ...

    def account(self) -> Account | None:
        """What the scheduler has stored last; for those who look on."""
        ...

    def active(self, *, run_id: str | None = None) -> tuple[QueueEntry, ...]:
        """Everything that holds a slot, or what of it is one run's."""
        ...

    def waiting_count(self, *, at_most: int, run_id: str | None = None) -> int:
        """How many entries wait, in all lanes or in one, counted no further than `at_most`."""
        ...

    def rules(self) -> Rules:
        """Capacity, teams' settings and paused runs."""
        ...

    def register_capacity(self, capacity: ExecutorCapacity) -> None:
        """Called by an executor when it starts."""
        ...

    def register_slots(self, slots: int) -> None:
        """`register_capacity` of an executor that counts nothing else."""
        ...

    def team(self, team: str) -> TeamSettings:
        """A team's settings; the defaults where none are stored."""
        ...

    def save_team(self, settings: TeamSettings) -> TeamSettings:
        """Write if the stored version equals `settings.version`; returns them with version + 1.

        Raises WriteConflictError.
        """
        ...

    def pause_run(self, run_id: str, *, until: datetime) -> None:
        """Admit nothing more of a run. The mark is forgotten some time after `until`, when the run cannot be alive."""
        ...

    def resume_run(self, run_id: str) -> None:
        """Take the mark away. Idempotent."""
        ...

    def want(self) -> int:
        """Count a wake-up before trying to lead, so that a leader that is about to stop sees it. Returns the count."""
        ...

    def wanted(self) -> int:
        """The wake-up counter now."""
        ...

    def lead(self, owner: str, *, now: datetime, duration: timedelta) -> SchedulerTerm | None:
        """Become the one scheduler, with a new fence; None while another's term lasts."""
        ...

    def stand_by(self, *, now: datetime) -> timedelta | None:
        """Of those who step back from a term, one is told to look again, and when: should the leader die, its term's end
        is noticed. None for all others, and when no term lasts."""
        ...

    def resign(self, term: SchedulerTerm) -> bool:
        """End the term and leave `account` and `armed_for` to the next, unless a wake-up came since `term.wanted` was
        read: then False, and the caller looks again."""
        ...

    def release(self, term: SchedulerTerm) -> None:
        """End the term whatever was wanted meanwhile; nothing when another has begun. Whoever calls it sends a wake-up."""
        ...
