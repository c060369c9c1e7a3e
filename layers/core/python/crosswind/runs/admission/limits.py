"""Limits: what is held, what is left, and which limit binds an entry."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from crosswind.runs.admission.model import Capacity, Lane, QueueEntry, Reason, TeamPolicy
from crosswind.runs.model import WorkKey

OF_TEAM = frozenset({Reason.TEAM_PAUSED, Reason.TEAM_LIMIT, Reason.TEAM_QUOTA})
"""What holds one entry of a team holds all of them."""

OF_RUN = frozenset({Reason.RUN_PAUSED, Reason.RUN_LIMIT, Reason.SUITE_LIMIT})
"""What holds one entry of a run holds all of them."""

OF_ROOM = frozenset({Reason.NO_SLOT, Reason.NO_CPU, Reason.NO_MEMORY})
"""The entry may, but there is no room for it."""


@dataclass(slots=True)
class Room:
    """Slots, processor and memory; what is not counted is without end."""

    slots: int
    cpu_millis: float
    memory_mib: float

    @classmethod
    def of(cls, capacity: Capacity) -> Self:
        """All there is."""
        return cls(
            slots=capacity.slots,
            cpu_millis=math.inf if capacity.cpu_millis is None else capacity.cpu_millis,
            memory_mib=math.inf if capacity.memory_mib is None else capacity.memory_mib,
        )

    def take(self, entry: QueueEntry) -> None:
        """Give the entry its part. What is over-committed goes below zero."""
        self.slots -= 1
        self.cpu_millis -= entry.cpu_millis
        self.memory_mib -= entry.memory_mib

    def give_back(self, entry: QueueEntry) -> None:
        """The opposite of `take`."""
        self.slots += 1
        self.cpu_millis += entry.cpu_millis
        self.memory_mib += entry.memory_mib

    def lacks(self, entry: QueueEntry) -> Reason | None:
        """What is missing for the entry; None when it fits."""
        if self.slots < 1:
            return Reason.NO_SLOT
        if self.cpu_millis < entry.cpu_millis:
            return Reason.NO_CPU
        if self.memory_mib < entry.memory_mib:
            return Reason.NO_MEMORY
        return None


@dataclass(slots=True)
class Holdings:
    """What is held, by everyone that has a limit. Within a round it only grows: who is held once stays held."""

    runs: Counter[str] = field(default_factory=Counter)
    suites: Counter[tuple[str, str]] = field(default_factory=Counter)
    teams: Counter[str] = field(default_factory=Counter)
    keys: dict[tuple[str, str], WorkKey] = field(default_factory=dict)  # anti-affinity: who has the key

    @classmethod
    def of(cls, active: Iterable[QueueEntry]) -> Self:
        """What the active entries hold."""
        holdings = cls()
        for entry in sorted(active, key=lambda entry: entry.key, reverse=True):
            holdings.take(entry)
        return holdings

    def take(self, entry: QueueEntry) -> None:
        """Count the entry in."""
        self.runs[entry.key.run_id] += 1
        self.suites[entry.team, entry.suite] += 1
        self.teams[entry.team] += 1
        if entry.anti_affinity is not None:
            self.keys[entry.team, entry.anti_affinity] = entry.key

    def beyond_quota(self, team: str, policy: TeamPolicy) -> bool:
        """Whether the team's next slot is a borrowed one."""
        return policy.quota is not None and self.teams[team] >= policy.quota

    def binding(self, entry: QueueEntry, lane: Lane, policy: TeamPolicy, now: datetime) -> Reason | None:
        """The first limit of the entry's own, its run's, its suite's or its team's that holds it, free slots or not."""
        checks = (
            (lane.paused, Reason.RUN_PAUSED),
            (policy.paused, Reason.TEAM_PAUSED),
            (entry.not_before is not None and now < entry.not_before, Reason.BACKOFF),
            (self._key_taken(entry), Reason.ANTI_AFFINITY),
            (self.runs[entry.key.run_id] >= entry.concurrency, Reason.RUN_LIMIT),
            (self._suite_full(entry), Reason.SUITE_LIMIT),
            (
                policy.concurrency is not None and self.teams[entry.team] >= policy.concurrency,
                Reason.TEAM_LIMIT,
            ),
            (not policy.may_borrow and self.beyond_quota(entry.team, policy), Reason.TEAM_QUOTA),
        )
        return next((reason for holds, reason in checks if holds), None)

    def _key_taken(self, entry: QueueEntry) -> bool:
        return entry.anti_affinity is not None and (entry.team, entry.anti_affinity) in self.keys

    def _suite_full(self, entry: QueueEntry) -> bool:
        return (
            entry.suite_concurrency is not None
            and self.suites[entry.team, entry.suite] >= entry.suite_concurrency
        )
