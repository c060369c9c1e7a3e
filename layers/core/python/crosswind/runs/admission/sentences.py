"""What admission says: one concrete sentence for each decision, with who and how much.

A sentence about waiting holds no running time, so that it is stored again only when something changed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from crosswind.runs.admission.aging import CLASSES
from crosswind.runs.admission.limits import Holdings, Room
from crosswind.runs.admission.model import Capacity, QueueEntry, Reason
from crosswind.runs.admission.turns import DEFAULT_POLICY, Turn, Turns
from crosswind.runs.model import WorkKey

_MOST_TEAMS = 5
_MILLIS = 1000
_MINUTE = 60

_LIMITS = {
    Reason.RUN_PAUSED: "Its run is paused.",
    Reason.TEAM_PAUSED: "The queue of team {team} is paused.",
    Reason.BACKOFF: "It failed by infrastructure and is tried again at {due} UTC.",
    Reason.ANTI_AFFINITY: "Only one shard of team {team} may use '{key}' at a time: {key_holder} has it.",
    Reason.RUN_LIMIT: "Its run has {of_run} of at most {run_limit} shards at work.",
    Reason.SUITE_LIMIT: "All runs of suite {suite} have {of_suite} of at most {suite_limit} shards at work.",
    Reason.TEAM_LIMIT: "Team {team} has {of_team} of at most {team_limit} shards at work.",
    Reason.TEAM_QUOTA: "Team {team} holds {of_team} slots, its quota is {quota}, and {no_loan}",
    Reason.LOAD_FILLING: "Another load job is getting its workers; one at a time does, so that none waits for the other's.",
    Reason.LAUNCH_RATE: "The executor takes {rate} launches a second, and those of this moment are given.",
}


def admission(turn: Turn, turns: Turns, *, free: Room, capacity: Capacity, now: datetime) -> str:
    """Why this one, and before whom. Said before the entry is counted in."""
    standing, entry = turn.standing, turn.entry
    number = capacity.slots - free.slots + 1
    raised = CLASSES[entry.priority] - standing.entry_class
    age = (
        f", raised by {_counted(raised, 'class', 'classes')} in {_span(now - entry.enqueued_at)},"
        if raised
        else ""
    )
    loan = ", borrowed beyond its team's quota" if standing.borrowing else ""
    rival = turns.runner_up()
    before = f", before {rival[1].name} at {_share(rival[0].used)}" if rival else ", last in turn"
    return (
        f"Slot {number} of {capacity.slots}{loan}: {entry.priority}{age} of team {entry.team}"
        f" at {_share(standing.used)} slot-minutes per weight{before}."
    )


def preemption(victim: QueueEntry, by: QueueEntry, *, held: int, quota: int | None) -> str:
    """Why the victim loses its slot: what its team holds, and what it may hold by its own right."""
    return (
        f"{_named(by.key)} (P0 of team {by.team}) takes back a slot that was lent:"
        f" team {victim.team} holds {held}, its quota is {quota}."
    )


class Waits:
    """Why entries wait, told at the end of a round."""

    def __init__(
        self,
        capacity: Capacity,
        *,
        held: Holdings,
        holders: Sequence[tuple[str, int]],
        kept_for: QueueEntry | None,
        victims: Mapping[WorkKey, Sequence[QueueEntry]],
    ) -> None:
        self._capacity = capacity
        self._held = held
        self._taken = _taken(holders, capacity.slots)
        self._kept_for = kept_for
        self._victims = victims

    def sentence(self, entry: QueueEntry, reason: Reason | None) -> str:
        """Why the entry waits. None: it would fit, but room is kept for another one."""
        if reason is None:
            return self._kept()
        if entry.key in self._victims:
            return _given_way(self._victims[entry.key])
        if reason in _LIMITS:
            return _LIMITS[reason].format_map(self._facts(entry))
        if reason is Reason.NO_SLOT:
            return self._taken
        return self._no_room(entry, reason)

    def _facts(self, entry: QueueEntry) -> Mapping[str, object]:
        policy = self._capacity.teams.get(entry.team, DEFAULT_POLICY)
        holder = self._held.keys.get((entry.team, entry.anti_affinity or ""))
        return {
            "team": entry.team,
            "suite": entry.suite,
            "due": _clock(entry.not_before or entry.enqueued_at),
            "key": entry.anti_affinity,
            "key_holder": _named(holder) if holder else "another",
            "of_run": self._held.runs[entry.key.run_id],
            "run_limit": entry.concurrency,
            "of_suite": self._held.suites[entry.team, entry.suite],
            "suite_limit": entry.suite_concurrency,
            "of_team": self._held.teams[entry.team],
            "team_limit": policy.concurrency,
            "quota": policy.quota,
            "no_loan": f"nothing is idle to borrow. {self._taken}"
            if policy.may_borrow
            else "it may not borrow.",
            "rate": f"{self._capacity.launches_per_second:g}" if self._capacity.launches_per_second else "no",
        }

    def _kept(self) -> str:
        kept = self._kept_for
        if kept is None:
            return self._taken
        return f"Room is kept for {_named(kept.key)}, which has waited since {_clock(kept.enqueued_at)} UTC."

    def _no_room(self, entry: QueueEntry, reason: Reason) -> str:
        if reason is Reason.NO_CPU:
            need, total = (
                f"{entry.cpu_millis / _MILLIS:g} vCPU",
                f"{(self._capacity.cpu_millis or 0) / _MILLIS:g}",
            )
        else:
            need, total = f"{entry.memory_mib} MiB of memory", f"{self._capacity.memory_mib or 0}"
        if Room.of(self._capacity).lacks(entry) is reason:
            return f"It needs {need}, and there are only {total} in all: it can never be admitted here."
        return f"It needs {need}, and less than that is free of {total}. {self._taken}"


def _given_way(victims: Sequence[QueueEntry]) -> str:
    if not victims:
        return "Its slot is one that borrowed work gives back already."
    names = ", ".join(f"{_named(victim.key)} (team {victim.team})" for victim in victims)
    return f"Its slot is taken back from borrowed work: {names}."


def _taken(holders: Sequence[tuple[str, int]], slots: int) -> str:
    taken = sum(count for _, count in holders)
    if not taken:
        return f"None of {_counted(slots, 'slot', 'slots')} is taken." if slots > 0 else "There are no slots."
    named = [f"{team} {count}" for team, count in holders[:_MOST_TEAMS]]
    if rest := holders[_MOST_TEAMS:]:
        named.append(
            f"{_counted(len(rest), 'further team', 'further teams')} {sum(count for _, count in rest)}"
        )
    return f"{taken} of {_counted(slots, 'slot', 'slots')} are taken: {', '.join(named)}."


def _named(key: WorkKey) -> str:
    return f"{key.work_id} of {key.run_id}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _share(slot_seconds: float) -> str:
    return f"{slot_seconds / _MINUTE:.1f}"


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")


def _span(wait: timedelta) -> str:
    minutes = round(wait.total_seconds() / _MINUTE)
    return f"{minutes} min" if minutes < 2 * _MINUTE else f"{minutes / _MINUTE:.1f} h"
