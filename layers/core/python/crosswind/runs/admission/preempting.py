"""Preemption: P0 within its team's quota takes borrowed slots back from P2.

Only work that was admitted beyond its team's quota, of a team that still is beyond it, can lose its slot: the newest
first, as least is lost. It is requeued without counting an attempt.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from crosswind.contracts.suites import Priority
from crosswind.runs.admission.limits import Holdings, Room
from crosswind.runs.admission.model import Capacity, QueueEntry, TeamPolicy


class Borrowed:
    """What may be taken back in one round, and what of it was already taken but not yet given on."""

    def __init__(
        self, active: Iterable[QueueEntry], held: Holdings, policies: Mapping[str, TeamPolicy]
    ) -> None:
        self._beyond = Counter(
            {
                team: count - quota
                for team, count in held.teams.items()
                if (quota := policies.get(team, TeamPolicy()).quota) is not None and count > quota
            }
        )
        self._candidates = sorted(
            (
                entry
                for entry in active
                if entry.borrowed and entry.priority is Priority.P2 and self._beyond[entry.team]
            ),
            key=_newest_last,
        )
        self._coming = Room(slots=0, cpu_millis=0, memory_mib=0)

    def __bool__(self) -> bool:
        """Whether there is anything to take back, or anything left of what was taken."""
        return bool(self._candidates) or self._coming.slots > 0

    def take_back_for(self, entry: QueueEntry, free: Room) -> Sequence[QueueEntry] | None:
        """Whom to preempt so that the entry fits: nobody where enough is coming already; None where it does not help.

        What the entry gets is taken from what is free, so that no later entry of the round takes it meanwhile, and
        the rest from what is coming.
        """
        lacking = _shortfall(entry, free, self._coming)
        victims = self._fewest(lacking)
        if victims is None:
            return None
        for victim in victims:
            self._candidates.remove(victim)
            self._beyond[victim.team] -= 1
            self._coming.give_back(victim)
        self._split(entry, free)
        return victims

    def _fewest(self, lacking: Room) -> list[QueueEntry] | None:
        """The newest that together cover what is lacking, without any that is not needed for it."""
        left = self._beyond.copy()
        chosen: list[QueueEntry] = []
        for candidate in reversed(self._candidates):
            if _covers(chosen, lacking):
                break
            if left[candidate.team]:
                left[candidate.team] -= 1
                chosen.append(candidate)
        if not _covers(chosen, lacking):
            return None
        for victim in tuple(reversed(chosen)):
            others = [other for other in chosen if other is not victim]
            if _covers(others, lacking):
                chosen = others
        return chosen

    def _split(self, entry: QueueEntry, free: Room) -> None:
        slots = min(1, max(0, free.slots))
        cpu = min(entry.cpu_millis, max(0, free.cpu_millis))
        memory = min(entry.memory_mib, max(0, free.memory_mib))
        free.slots -= slots
        free.cpu_millis -= cpu
        free.memory_mib -= memory
        self._coming.slots -= 1 - slots
        self._coming.cpu_millis -= entry.cpu_millis - cpu
        self._coming.memory_mib -= entry.memory_mib - memory


def may_preempt(entry: QueueEntry, *, borrowing: bool, capacity: Capacity) -> bool:
    """Whether the entry is one for which borrowed work gives way: P0 by name, not by age, and within its quota."""
    return (
        entry.priority is Priority.P0
        and not borrowing
        and Room.of(capacity).lacks(entry) is None  # what never fits is helped by nobody's loss
    )


def _shortfall(entry: QueueEntry, free: Room, coming: Room) -> Room:
    return Room(
        slots=1 - free.slots - coming.slots,
        cpu_millis=entry.cpu_millis - free.cpu_millis - coming.cpu_millis,
        memory_mib=entry.memory_mib - free.memory_mib - coming.memory_mib,
    )


def _covers(victims: Iterable[QueueEntry], lacking: Room) -> bool:
    given = Room(slots=0, cpu_millis=0, memory_mib=0)
    for victim in victims:
        given.give_back(victim)
    return (
        given.slots >= lacking.slots
        and given.cpu_millis >= lacking.cpu_millis
        and given.memory_mib >= lacking.memory_mib
    )


def _newest_last(entry: QueueEntry) -> tuple[datetime, str, str]:
    return (entry.admitted_at or entry.enqueued_at, entry.key.run_id, entry.key.work_id)
