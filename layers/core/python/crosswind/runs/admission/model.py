"""What admission decides from, and what it answers: frozen values without I/O. The policy is ADR 0008."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from crosswind.contracts.suites import Priority
from crosswind.contracts.work import DEFAULT_CPU_MILLIS, DEFAULT_MEMORY_MIB
from crosswind.runs.model import WorkKey


class Reason(StrEnum):
    """Why an entry was admitted, or which limit it waits for. The first that binds, in this order."""

    ADMITTED = "admitted"
    RUN_PAUSED = "run_paused"
    TEAM_PAUSED = "team_paused"
    BACKOFF = "backoff"  # an infrastructure failure was just now; its pause is not over
    ANTI_AFFINITY = "anti_affinity"  # work with the same key is admitted
    RUN_LIMIT = "run_limit"
    SUITE_LIMIT = "suite_limit"
    TEAM_LIMIT = "team_limit"
    TEAM_QUOTA = "team_quota"  # beyond the quota, and nothing idle to borrow
    LOAD_FILLING = "load_filling"  # another load job is getting its workers
    NO_SLOT = "no_slot"
    NO_CPU = "no_cpu"
    NO_MEMORY = "no_memory"
    LAUNCH_RATE = "launch_rate"  # the executor takes no more launches this second


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A piece of work as the lists hold it: waiting, or active (admitted or leased)."""

    key: WorkKey
    team: str
    suite: str
    priority: Priority
    concurrency: int
    enqueued_at: datetime
    not_before: datetime | None = None
    estimate_seconds: float = 1.0
    suite_concurrency: int | None = None
    cpu_millis: int = DEFAULT_CPU_MILLIS
    memory_mib: int = DEFAULT_MEMORY_MIB
    anti_affinity: str | None = None
    group: str | None = None  # the load job whose workers begin together
    group_size: int = 1
    admitted_at: datetime | None = None  # of an active entry
    borrowed: bool = False  # of an active entry: admitted beyond its team's quota


@dataclass(frozen=True, slots=True)
class Lane:
    """The waiting work of one run: the first entries in the order in which the run wants them, and how many there are.

    A lane with fewer entries than `waiting` was cut: admission never needs more ready entries of it than there are
    free slots. Where the ones listed are all held by limits of their own, `Round.cut_short` asks for more.
    """

    run_id: str
    entries: tuple[QueueEntry, ...]
    waiting: int
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """Everything that waits: one lane for each run that has something waiting, in any order."""

    lanes: tuple[Lane, ...]

    @classmethod
    def of(cls, entries: Iterable[QueueEntry], *, paused: Collection[str] = ()) -> Self:
        """Lanes from a flat list in any order; `paused` are ids of runs."""
        by_run: dict[str, list[QueueEntry]] = {}
        for entry in entries:
            by_run.setdefault(entry.key.run_id, []).append(entry)
        return cls(
            tuple(
                Lane(run_id, tuple(sorted(lane, key=lane_order)), len(lane), paused=run_id in paused)
                for run_id, lane in by_run.items()
            )
        )


def lane_order(entry: QueueEntry) -> tuple[float, datetime, str]:
    """The order of a run's ready work: the longest first, so that no long shard is left for the end."""
    return (-entry.estimate_seconds, entry.enqueued_at, entry.key.work_id)


@dataclass(frozen=True, slots=True)
class Share:
    """What a team has used, decayed to `at`: slot-seconds, and the penalty for admissions that usage has not shown yet."""

    used: float = 0.0
    penalty: float = 0.0
    slots: int = 0  # held from `at` on, so that work that ends before the next sample is charged too


@dataclass(frozen=True, slots=True)
class Account:
    """What the scheduler carries from round to round, stored under its fence."""

    at: datetime
    shares: Mapping[str, Share] = field(default_factory=dict)
    launch_tokens: float | None = None  # None: a full bucket


@dataclass(frozen=True, slots=True)
class Usage:
    """What holds a slot now, and the account so far."""

    active: tuple[QueueEntry, ...]
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class TeamPolicy:
    """A team's part of the capacity. `quota` None: no quota, everything of the team's counts as its own."""

    weight: float = 1.0
    quota: int | None = None  # slots that are the team's own
    may_borrow: bool = True  # beyond its quota, from what others leave idle
    concurrency: int | None = None  # the most slots, borrowed ones included
    paused: bool = False

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"a team's weight must be positive, not {self.weight}")


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is to give, and by which rules. A team without an entry in `teams` has the default policy."""

    slots: int
    cpu_millis: int | None = None  # None: not counted
    memory_mib: int | None = None
    launches_per_second: float | None = None  # None: not paced
    launch_burst: int = 1
    aging: timedelta = timedelta(minutes=10)  # each further one waited raises an entry by one class
    half_life: timedelta = timedelta(hours=168)
    teams: Mapping[str, TeamPolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.aging, self.half_life) <= timedelta(0):
            raise ValueError("aging and half-life must be longer than nothing")
        if self.launches_per_second is not None and (self.launches_per_second <= 0 or self.launch_burst < 1):
            raise ValueError("a launch rate must be positive, and its burst at least 1")


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one entry, with a sentence for whoever asks why."""

    entry: QueueEntry
    reason: Reason
    explanation: str
    borrowed: bool = False

    @property
    def admitted(self) -> bool:
        """Whether the entry gets a slot."""
        return self.reason is Reason.ADMITTED


@dataclass(frozen=True, slots=True)
class Preemption:
    """Borrowed work that must give its slot back."""

    victim: QueueEntry
    by: QueueEntry
    explanation: str


@dataclass(frozen=True, slots=True)
class Round:
    """The answer of one look at the queue. Admitted entries come in the order of admission.

    `decisions` holds every admitted entry and, of every lane that still waits, its first entry that waits.
    Preempted slots are given by the next round.
    """

    decisions: tuple[Decision, ...]
    preemptions: tuple[Preemption, ...] = ()
    account: Account | None = None
    again_at: datetime | None = (
        None  # when time alone lets something in: a backoff is over, a launch token is due
    )
    cut_short: tuple[str, ...] = ()  # runs of which more entries must be listed: there is room for them

    @property
    def admitted(self) -> tuple[Decision, ...]:
        """Those that got a slot."""
        return tuple(decision for decision in self.decisions if decision.admitted)
