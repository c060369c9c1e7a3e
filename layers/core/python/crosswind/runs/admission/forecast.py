"""When a waiting run gets its first slot: the same `admit`, run forward over the expected ends of what is at work.

A forecast, no promise: it knows nothing of work that is still to come, and estimates are estimates. Its effort is
bounded: it moves in strides that grow with the distance, so that far starts are told more coarsely than near ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crosswind.runs.admission.model import (
    Capacity,
    Decision,
    Lane,
    Preemption,
    Queue,
    QueueEntry,
    Reason,
    Round,
    TeamPolicy,
    Usage,
)
from crosswind.runs.admission.policy import admit
from crosswind.runs.admission.shares import holders
from crosswind.runs.admission.turns import DEFAULT_POLICY
from crosswind.runs.model import WorkKey

HORIZON = timedelta(hours=24)
"""Starts that lie further ahead are not told."""

_MOST_STEPS = 150
_FEWEST_STEPS = 40
_STEPS_TIMES_LANES = 30_000
_FIRST_STRIDE = timedelta(seconds=1)
_OVERDUE = 0.1  # work that outlasted its estimate is expected to take another tenth of what it has run


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a waiting run can expect, as of now."""

    position: (
        int | None
    )  # its place among the runs that wait for room, from 1; None: limits of its own hold it
    expected_start: datetime | None  # None: nothing foreseeable lets it start, or not within the horizon
    binding: Reason  # what its first entry waits for; ADMITTED when it gets a slot now
    explanation: str
    holders: tuple[tuple[str, int], ...]  # teams and the slots that they hold of what binds
    must_finish: int  # pieces of work that end, as expected, before it starts


def forecast(
    queue: Queue, usage: Usage, capacity: Capacity, now: datetime, *, run_id: str
) -> Forecast | None:
    """The outlook of a run; None when nothing of it waits. For a run that is not queued yet, add a lane for it first."""
    if not any(lane.run_id == run_id and lane.entries for lane in queue.lanes):
        return None
    look = admit(queue, usage, capacity, now)
    decision = next(found for found in look.decisions if found.entry.key.run_id == run_id)
    start, ends = (now, 0) if decision.admitted else _first_start(queue, usage, capacity, now, run_id)
    limit = _limit(decision, capacity.teams.get(decision.entry.team, DEFAULT_POLICY))
    in_the_way = [entry for entry in usage.active if limit and limit.counts(entry)]
    if limit is None:
        ends = 0
    elif limit.allows is not None:
        ends = len(in_the_way) - limit.allows + 1
    return Forecast(
        position=_position(queue, usage, capacity, now, run_id),
        expected_start=start,
        binding=decision.reason,
        explanation=decision.explanation,
        holders=holders(in_the_way),
        must_finish=ends,
    )


def _position(queue: Queue, usage: Usage, capacity: Capacity, now: datetime, run_id: str) -> int | None:
    """The run's place in the order of first turns, as it would be with room for everybody's first entry."""
    heads = tuple(
        replace(lane, entries=(_first_ready(lane, now),), waiting=1) for lane in queue.lanes if lane.entries
    )
    roomy = replace(
        capacity,
        slots=len(usage.active) + len(heads),
        cpu_millis=None,
        memory_mib=None,
        launches_per_second=None,
    )
    order = [found.entry.key.run_id for found in admit(Queue(heads), usage, roomy, now).admitted]
    return order.index(run_id) + 1 if run_id in order else None


def _first_ready(lane: Lane, now: datetime) -> QueueEntry:
    ready = (entry for entry in lane.entries if entry.not_before is None or entry.not_before <= now)
    return next(ready, lane.entries[0])


@dataclass(frozen=True, slots=True)
class _Limit:
    """What a limit counts of what is at work, and how much of that it allows; None where room is what lacks."""

    counts: Callable[[QueueEntry], bool]
    allows: int | None


def _limit(decision: Decision, policy: TeamPolicy) -> _Limit | None:
    """The limit that binds; None where nothing that is at work stands in the way."""
    entry = decision.entry
    own_team = _Limit(lambda other: other.team == entry.team, policy.quota)
    everything = _Limit(lambda _: True, None)
    limits = {
        Reason.ANTI_AFFINITY: _Limit(
            lambda other: (other.team, other.anti_affinity) == (entry.team, entry.anti_affinity), 1
        ),
        Reason.RUN_LIMIT: _Limit(lambda other: other.key.run_id == entry.key.run_id, entry.concurrency),
        Reason.SUITE_LIMIT: _Limit(
            lambda other: (other.team, other.suite) == (entry.team, entry.suite), entry.suite_concurrency
        ),
        Reason.TEAM_LIMIT: replace(own_team, allows=policy.concurrency),
        Reason.TEAM_QUOTA: everything if policy.may_borrow else own_team,
        Reason.NO_SLOT: everything,
        Reason.NO_CPU: everything,
        Reason.NO_MEMORY: everything,
    }
    return limits.get(decision.reason)


def _first_start(
    queue: Queue, usage: Usage, capacity: Capacity, now: datetime, run_id: str
) -> tuple[datetime | None, int]:
    """When the run gets its first slot, and how many pieces of work end until then."""
    world = _Ahead(queue, usage, now)
    ended = 0
    for _ in range(_steps(len(queue.lanes))):
        look = admit(world.queue(), world.usage(), capacity, world.now)
        if any(decision.entry.key.run_id == run_id for decision in look.admitted):
            return world.now, ended
        world.apply(look)
        if look.preemptions:
            continue  # their slots are given at the same moment
        if not world.move(look.again_at) or world.now - now > HORIZON:
            break
        ended += world.end_what_is_due()
    return None, ended


def _steps(lanes: int) -> int:
    return max(_FEWEST_STEPS, min(_MOST_STEPS, _STEPS_TIMES_LANES // max(1, lanes)))


class _Ahead:
    """The queue and what is at work, at a moment of the future."""

    def __init__(self, queue: Queue, usage: Usage, now: datetime) -> None:
        self.now = now
        self._began = now
        self._stride = _growth(_steps(len(queue.lanes)))
        self._lanes = {lane.run_id: lane for lane in queue.lanes}
        self._ends = {entry.key: (expected_end(entry, now), entry) for entry in usage.active}
        self._account = usage.account

    def queue(self) -> Queue:
        return Queue(tuple(self._lanes.values()))

    def usage(self) -> Usage:
        return Usage(tuple(entry for _, entry in self._ends.values()), self._account)

    def apply(self, look: Round) -> None:
        """Let what was admitted start, and what was preempted wait again."""
        self._account = look.account
        given: dict[str, set[WorkKey]] = {}
        for decision in look.admitted:
            entry = replace(decision.entry, admitted_at=self.now, borrowed=decision.borrowed)
            self._ends[entry.key] = (expected_end(entry, self.now), entry)
            given.setdefault(entry.key.run_id, set()).add(entry.key)
        for run_id, keys in given.items():
            self._lanes[run_id] = _without(self._lanes[run_id], keys)
        for preemption in look.preemptions:
            self._requeue(preemption)

    def move(self, again_at: datetime | None) -> bool:
        """Go on to the next moment at which something can change. False when there is none.

        What ends within a stride after that moment counts as ending with it: the stride grows with the distance, so
        that a day is crossed in a bounded number of steps.
        """
        moments = [end for end, _ in self._ends.values()]
        if again_at is not None:
            moments.append(again_at)
        following = min(moments, default=None)
        if following is None:
            return False
        window = following + max(_FIRST_STRIDE, (following - self._began) * self._stride)
        self.now = max(self.now, following, *(end for end in moments if end <= window))
        return True

    def end_what_is_due(self) -> int:
        """Take away what has ended by now; how many these are."""
        due = [key for key, (end, _) in self._ends.items() if end <= self.now]
        for key in due:
            del self._ends[key]
        return len(due)

    def _requeue(self, preemption: Preemption) -> None:
        victim = replace(preemption.victim, admitted_at=None, borrowed=False)
        self._ends.pop(victim.key, None)
        lane = self._lanes.get(victim.key.run_id, Lane(victim.key.run_id, (), 0))
        self._lanes[lane.run_id] = replace(lane, entries=(victim, *lane.entries), waiting=lane.waiting + 1)


def expected_end(entry: QueueEntry, now: datetime) -> datetime:
    """When a piece of work at work is expected to end; never before now."""
    began = entry.admitted_at or now
    run = max(timedelta(0), now - began)
    expected = max(timedelta(seconds=entry.estimate_seconds), _FIRST_STRIDE)
    if run < expected:
        return began + expected
    return now + max(run * _OVERDUE, _FIRST_STRIDE)


def _growth(steps: int) -> float:
    """By which part the distance grows with each step, so that the steps reach the horizon."""
    return math.pow(HORIZON / _FIRST_STRIDE, 1 / steps) - 1


def _without(lane: Lane, given: set[WorkKey]) -> Lane:
    """The lane after some got a slot. Where it was cut, the last that is listed stands for those behind it."""
    left = [entry for entry in lane.entries if entry.key not in given]
    waiting = max(lane.waiting - len(given), len(left))
    last = lane.entries[-1]
    name = last.key.work_id.partition("+")[0]
    unlisted = range(len(left), min(waiting, len(lane.entries)))
    likes = (replace(last, key=WorkKey(lane.run_id, f"{name}+{waiting - number}")) for number in unlisted)
    return replace(lane, entries=(*left, *likes), waiting=waiting)
