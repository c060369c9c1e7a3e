"""A small world that moves from event to event under the admission policy: work arrives, gets slots, ends, is preempted."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crosswind.runs.admission.model import Account, Capacity, Queue, QueueEntry, Round, Usage
from crosswind.runs.admission.policy import admit
from crosswind.runs.model import WorkKey
from tests.fakes import START


@dataclass(frozen=True, slots=True)
class Arrival:
    """Work that is enqueued at the entry's own time, and how long it really takes."""

    entry: QueueEntry
    seconds: float


@dataclass
class Clockwork:
    """The scheduler's day: `run` plays all arrivals, `started` tells who got a slot when."""

    capacity: Capacity
    now: datetime = START
    account: Account | None = None
    waiting: dict[WorkKey, Arrival] = field(default_factory=dict)
    active: dict[WorkKey, tuple[datetime, Arrival]] = field(default_factory=dict)
    started: dict[WorkKey, datetime] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)

    def run(self, arrivals: Iterable[Arrival]) -> None:
        """Play until nothing is left to happen."""
        coming = sorted(arrivals, key=lambda arrival: arrival.entry.enqueued_at, reverse=True)
        while coming or self.waiting or self.active:
            while coming and coming[-1].entry.enqueued_at <= self.now:
                arrival = coming.pop()
                self.waiting[arrival.entry.key] = arrival
            again_at = self.look().again_at
            moments = [due for due, _ in self.active.values()]
            moments += [coming[-1].entry.enqueued_at] if coming else []
            moments += [again_at] if again_at else []
            assert moments, "something waits, and nothing will ever happen"
            self.move(min(moments))

    def look(self) -> Round:
        """One round, carried out."""
        queue = Queue.of(arrival.entry for arrival in self.waiting.values())
        round_ = admit(
            queue,
            Usage(tuple(arrival.entry for _, arrival in self.active.values()), self.account),
            self.capacity,
            self.now,
        )
        self.account = round_.account
        for decision in round_.admitted:
            arrival = self.waiting.pop(decision.entry.key)
            entry = replace(arrival.entry, admitted_at=self.now, borrowed=decision.borrowed)
            self.started.setdefault(entry.key, self.now)
            self.active[entry.key] = (
                self.now + timedelta(seconds=arrival.seconds),
                replace(arrival, entry=entry),
            )
        for preemption in round_.preemptions:
            _, arrival = self.active.pop(preemption.victim.key)
            self._count(arrival)
            entry = replace(arrival.entry, admitted_at=None, borrowed=False)
            self.waiting[entry.key] = replace(arrival, entry=entry)
        return self.look() if round_.preemptions else round_

    def move(self, to: datetime) -> None:
        """Let time pass: what is due ends."""
        self.now = max(self.now, to)
        for key, (due, arrival) in list(self.active.items()):
            if due <= self.now:
                del self.active[key]
                self._count(arrival)

    def _count(self, arrival: Arrival) -> None:
        began = arrival.entry.admitted_at or self.now
        team = arrival.entry.team
        self.used[team] = self.used.get(team, 0.0) + (self.now - began).total_seconds()
